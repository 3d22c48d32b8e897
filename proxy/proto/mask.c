/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/mask.h"

#include <string.h>

#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE2__))
#define MASK_HAS_X86 1
#include <immintrin.h>
#else
#define MASK_HAS_X86 0
#endif

#if defined(__aarch64__) && defined(__ARM_NEON)
#define MASK_HAS_NEON 1
#include <arm_neon.h>
#else
#define MASK_HAS_NEON 0
#endif

/* Up to this length a call through the pointer costs more than wider steps gain. */
#define MASK_SHORT 128

/* The compiler keeps the 16 bytes in one register where it has SSE2 or NEON, else in words. */
typedef uint64_t mask_pair __attribute__((vector_size(16)));

/* The key, `steps` bytes further on. A rotation, because the processor stalls when it reads eight
 * narrow stores back as one word. */
static inline uint64_t key_turn(uint64_t word, size_t steps)
{
    unsigned int shift = 8U * (unsigned int)steps & 63U;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return word >> shift | word << ((64U - shift) & 63U);
#else
    return word << shift | word >> ((64U - shift) & 63U);
#endif
}

/* Eight bytes of the key as they lie in memory, from `key_at` on. All wider steps are multiples of
 * four bytes, so that one word serves the whole call. */
static inline uint64_t key_word(const uint8_t key[4], size_t key_at)
{
    uint32_t half;
    memcpy(&half, key, sizeof(half));
    return key_turn((uint64_t)half << 32 | half, key_at);
}

static inline void xor_u64(uint8_t *data, uint64_t word)
{
    uint64_t value;
    memcpy(&value, data, sizeof(value));
    value ^= word;
    memcpy(data, &value, sizeof(value));
}

/* Short payloads, and the ends of long ones. The last step ends where the data ends and overlaps
 * the step before it, so this function reads the last step's bytes first. */
static inline void mask_short(uint8_t *data, size_t len, uint64_t word)
{
    uint8_t *end = data + len;
    uint64_t last_word = key_turn(word, len); /* the key 8 or 16 bytes before the end */
    if (len >= 16) {
        mask_pair last;
        memcpy(&last, end - 16, sizeof(last));
        for (; data < end - 16; data += 16) {
            mask_pair value;
            memcpy(&value, data, sizeof(value));
            value ^= (mask_pair){word, word};
            memcpy(data, &value, sizeof(value));
        }
        last ^= (mask_pair){last_word, last_word};
        memcpy(end - 16, &last, sizeof(last));
    } else if (len >= 8) {
        uint64_t last;
        memcpy(&last, end - 8, sizeof(last));
        xor_u64(data, word);
        last ^= last_word;
        memcpy(end - 8, &last, sizeof(last));
    } else {
        for (; data < end; data++) {
            uint8_t first;
            memcpy(&first, &word, sizeof(first));
            *data ^= first;
            word = key_turn(word, 1);
        }
    }
}

static void mask_apply_words(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at)
{
    uint64_t word = key_word(key, key_at);
    while (len >= 32) {
        xor_u64(data, word);
        xor_u64(data + 8, word);
        xor_u64(data + 16, word);
        xor_u64(data + 24, word);
        data += 32;
        len -= 32;
    }
    mask_short(data, len, word);
}

#if MASK_HAS_X86

__attribute__((target("sse2"))) static inline void xor_sse2(uint8_t *data, __m128i word)
{
    __m128i *at = (__m128i *)(void *)data;
    _mm_storeu_si128(at, _mm_xor_si128(_mm_loadu_si128(at), word));
}

__attribute__((target("sse2"))) static void mask_apply_sse2(uint8_t *data, size_t len,
                                                            const uint8_t key[4], size_t key_at)
{
    uint64_t word = key_word(key, key_at);
    __m128i wide = _mm_set1_epi64x((long long)word);
    while (len >= 64) {
        xor_sse2(data, wide);
        xor_sse2(data + 16, wide);
        xor_sse2(data + 32, wide);
        xor_sse2(data + 48, wide);
        data += 64;
        len -= 64;
    }
    mask_short(data, len, word);
}

__attribute__((target("avx2"))) static inline void xor_avx2(uint8_t *data, __m256i word)
{
    __m256i *at = (__m256i *)(void *)data;
    _mm256_storeu_si256(at, _mm256_xor_si256(_mm256_loadu_si256(at), word));
}

__attribute__((target("avx2"))) static void mask_apply_avx2(uint8_t *data, size_t len,
                                                            const uint8_t key[4], size_t key_at)
{
    uint64_t word = key_word(key, key_at);
    __m256i wide = _mm256_set1_epi64x((long long)word);
    while (len >= 128) {
        xor_avx2(data, wide);
        xor_avx2(data + 32, wide);
        xor_avx2(data + 64, wide);
        xor_avx2(data + 96, wide);
        data += 128;
        len -= 128;
    }
    while (len >= 32) {
        xor_avx2(data, wide);
        data += 32;
        len -= 32;
    }
    mask_short(data, len, word);
}

#endif

#if MASK_HAS_NEON

static void mask_apply_neon(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at)
{
    uint64_t word = key_word(key, key_at);
    uint8x16_t wide = vreinterpretq_u8_u64(vdupq_n_u64(word));
    while (len >= 64) {
        vst1q_u8(data, veorq_u8(vld1q_u8(data), wide));
        vst1q_u8(data + 16, veorq_u8(vld1q_u8(data + 16), wide));
        vst1q_u8(data + 32, veorq_u8(vld1q_u8(data + 32), wide));
        vst1q_u8(data + 48, veorq_u8(vld1q_u8(data + 48), wide));
        data += 64;
        len -= 64;
    }
    mask_short(data, len, word);
}

#endif

void mask_apply_scalar(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at)
{
    for (size_t i = 0; i < len; i++) {
        data[i] ^= key[(key_at + i) % 4];
    }
}

mask_fn *mask_implementation(size_t k, const char **out_name)
{
    /* Slowest first: mask_apply takes the last one. */
    static const struct {
        const char *name;
        mask_fn *apply;
    } all[] = {
        {"scalar", mask_apply_scalar}, // every processor
        {"words", mask_apply_words},
#if MASK_HAS_X86
        {"sse2", mask_apply_sse2}, // every x86-64
        {"avx2", mask_apply_avx2},
#endif
#if MASK_HAS_NEON
        {"neon", mask_apply_neon},
#endif
    };
    if (k >= sizeof(all) / sizeof(all[0])) {
        return NULL;
    }
#if MASK_HAS_X86
    if (all[k].apply == mask_apply_avx2 && !__builtin_cpu_supports("avx2")) {
        return NULL;
    }
#endif
    if (out_name != NULL) {
        *out_name = all[k].name;
    }
    return all[k].apply;
}

static mask_fn mask_choose;
/* A worker has one thread, so the choice needs no lock. */
static mask_fn *mask_best = mask_choose;

static void mask_choose(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at)
{
    mask_fn *next = mask_apply_words;
    for (size_t k = 0; next != NULL; k++) {
        mask_best = next;
        next = mask_implementation(k, NULL);
    }
    mask_best(data, len, key, key_at);
}

void mask_apply(uint8_t *data, size_t len, const uint8_t key[4], size_t key_at)
{
    if (len <= MASK_SHORT) {
        mask_short(data, len, key_word(key, key_at));
        return;
    }
    mask_best(data, len, key, key_at);
}
