/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "conf/bundle.h"
#include "conf/config.h"
#include "io/cert.h"
#include "suites.h"

#define ROUTE "[route r]\npath = /r\nbackend = echo:\n"

struct folder {
    char path[64];
    char certificate[96];
    char key[96];
    char ini[96];
};

static void write_file(const char *path, const char *data, size_t len)
{
    FILE *file = fopen(path, "wb");

    if (CHECK_TRUE(path, file != NULL)) {
        CHECK_EQ_U64(path, fwrite(data, 1, len, file), len);
        fclose(file);
    }
}

// A configuration with one certificate, in files of their own.
static void make_folder(struct folder *folder)
{
    static struct cert_pair pair;
    char text[1024];

    snprintf(folder->path, sizeof(folder->path), "/tmp/sluice-test-bundle-XXXXXX");
    CHECK_TRUE("folder", mkdtemp(folder->path) != NULL);
    snprintf(folder->certificate, sizeof(folder->certificate), "%s/c.pem", folder->path);
    snprintf(folder->key, sizeof(folder->key), "%s/k.pem", folder->path);
    snprintf(folder->ini, sizeof(folder->ini), "%s/s.ini", folder->path);
    CHECK_TRUE("pair", cert_make_throw_away(&pair));
    write_file(folder->certificate, pair.certificate, pair.certificate_len);
    write_file(folder->key, pair.key, pair.key_len);
    CHECK_EQ_INT("mode", chmod(folder->key, 0600), 0);
    snprintf(
        text, sizeof(text),
        "[listen a]\naddress = 127.0.0.1:1\ntls_certificate = %s, %s\ntls_key = %s, %s\n" ROUTE,
        folder->certificate, folder->certificate, folder->key, folder->key);
    write_file(folder->ini, text, strlen(text));
}

static void remove_folder(const struct folder *folder)
{
    unlink(folder->certificate);
    unlink(folder->key);
    unlink(folder->ini);
    rmdir(folder->path);
}

static char *print(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    config_print(config, out);
    fclose(out);
    return text;
}

static void test_read(void)
{
    struct folder folder;
    struct bundle bundle;
    struct bundle again;

    make_folder(&folder);
    bundle_read(&bundle, folder.ini);
    CHECK_EQ_U64("each file once", bundle.count, 3);
    CHECK_TRUE("ini first", span_is_equal(bundle.files->name, span_from_str(folder.ini)));
    CHECK_TRUE("key", bundle_find(&bundle, span_from_str(folder.key))->bytes.len > 0);
    CHECK_TRUE("nothing else", bundle_find(&bundle, SPAN_LIT("/etc/passwd")) == NULL);
    CHECK_TRUE("cores", bundle.facts.cores > 0);

    bundle_read(&again, folder.ini);
    CHECK_TRUE("the same", bundle_is_same(&bundle, &again));
    bundle_done(&again);
    write_file(folder.certificate, "x", 1);
    bundle_read(&again, folder.ini);
    CHECK_TRUE("another certificate", !bundle_is_same(&bundle, &again));
    bundle_done(&again);
    unlink(folder.key);
    bundle_read(&again, folder.ini);
    CHECK_TRUE("problem", bundle_find(&again, span_from_str(folder.key))->problem.len > 0);
    CHECK_EQ_INT("a bundle with a problem is not sealed", bundle_seal(&again), -1);
    bundle_done(&again);
    bundle_done(&bundle);
    remove_folder(&folder);
}

// What a worker makes of the memory file prints like what the master made, and needs no file.
static void test_sealed(void)
{
    struct folder folder;
    struct bundle bundle;
    struct bundle read;
    struct report report;
    const char *detail;

    make_folder(&folder);
    bundle_read(&bundle, folder.ini);
    int fd = bundle_seal(&bundle);
    CHECK_TRUE("sealed", fd >= 0);
    CHECK_TRUE("nobody writes", write(fd, "x", 1) == -1 && ftruncate(fd, 0) == -1);
    remove_folder(&folder);

    struct config *ours = config_build(&bundle, CONFIG_TO_PROVE, &report);
    CHECK_TRUE("ours", ours != NULL);
    report_done(&report);
    if (CHECK_TRUE("open", bundle_open(&read, fd, &detail))) {
        CHECK_TRUE("same", bundle_is_same(&bundle, &read));
        struct config *theirs = config_build(&read, CONFIG_PROVEN, &report);
        bundle_done(&read);
        CHECK_TRUE("theirs", theirs != NULL && report.count == 0);
        report_done(&report);
        if (ours != NULL && theirs != NULL) {
            char *one = print(ours);
            char *other = print(theirs);
            CHECK_TRUE("prints the same", strcmp(one, other) == 0);
            CHECK_EQ_U64("uid", ours->uid, theirs->uid);
            CHECK_EQ_U64("workers", ours->workers, theirs->workers);
            CHECK_TRUE("key", span_is_equal(ours->listens[0].pairs[1].key,
                                            theirs->listens[0].pairs[1].key));
            free(one);
            free(other);
        }
        config_free(theirs);
    }
    config_free(ours);
    close(fd);
    bundle_done(&bundle);
}

static void test_not_sealed(void)
{
    struct bundle bundle;
    struct bundle read;
    size_t len = 0;
    const char *detail;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    bundle_read_text(&bundle, SPAN_LIT("[listen a]\naddress = 127.0.0.1:1\n" ROUTE));
    char *bytes = bundle_encode(&bundle, &len);
    CHECK_TRUE("write", bytes != NULL && write(fd, bytes, len) == (ssize_t)len);
    CHECK_TRUE("a memory file without seals", !bundle_open(&read, fd, &detail));
    CHECK_TRUE("detail", strstr(detail, "no sealed memory file") != NULL);
    close(fd);
    CHECK_TRUE("no descriptor", !bundle_open(&read, -1, &detail));
    mem_free(bytes);
    bundle_done(&bundle);
}

// Each cut, each byte with another value and each byte more is refused or makes a bundle that takes
// no byte that is not there; the address checker sees to that.
static void test_hostile(void)
{
    struct bundle bundle;
    struct bundle read;
    size_t len = 0;
    const char *detail;

    bundle_read_text(&bundle, SPAN_LIT("[listen a]\naddress = 127.0.0.1:1\n" ROUTE));
    char *bytes = bundle_encode(&bundle, &len);
    for (size_t cut = 0; cut < len; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, bytes, cut);
        CHECK_TRUE("cut", !bundle_decode(&read, (struct span){copy, cut}, &detail));
        CHECK_TRUE("detail", detail != NULL);
        free(copy);
    }
    for (size_t i = 0; i < len; i++) {
        for (unsigned flip = 1; flip < 256; flip *= 2) {
            bytes[i] = (char)(bytes[i] ^ (char)flip);
            if (bundle_decode(&read, (struct span){bytes, len}, &detail)) {
                CHECK_TRUE("length", read.bytes <= len && read.count == 1);
                bundle_done(&read);
            }
            bytes[i] = (char)(bytes[i] ^ (char)flip);
        }
    }
    char *longer = malloc(len + 1);
    memcpy(longer, bytes, len);
    longer[len] = 0;
    CHECK_TRUE("a byte more", !bundle_decode(&read, (struct span){longer, len + 1}, &detail));
    free(longer);
    mem_free(bytes);
    bundle_done(&bundle);
}

// A directory of target files: its list, its files, and what a change of it changes.

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    write_file(path, text, strlen(text));
}

static void remove_file(const char *folder, const char *name)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

static void read_targets(const char *folder, const char *slash, struct bundle *out)
{
    char text[256];
    int len = snprintf(text, sizeof(text),
                       "[listen a]\naddress = 127.0.0.1:1\n[route r]\npath = /r\ntarget_from = "
                       "host\norigins = *\ntargets = %s%s\n",
                       folder, slash);

    bundle_read_text(out, (struct span){text, (size_t)len});
}

static void check_targets(const char *row, const struct bundle *bundle, size_t count)
{
    struct report report;
    struct config *config = config_build(bundle, CONFIG_TO_PROVE, &report);

    if (CHECK_TRUE(row, config != NULL)) {
        CHECK_EQ_U64(row, config->routes[0].targets->count, count);
        config_free(config);
    }
    report_done(&report);
}

static void test_folder(void)
{
    char folder[] = "/tmp/sluice-test-folder-XXXXXX";
    size_t blocks = mem_live_blocks();
    struct bundle bundle;
    struct bundle again;
    struct bundle decoded;
    const char *detail = NULL;
    size_t len = 0;

    CHECK_TRUE("folder", mkdtemp(folder) != NULL);
    write_text(folder, "b", "b: 1.1.1.1:1\n");
    write_text(folder, "a", "a: 1.1.1.1:1\nb: 1.1.1.1:2\n");
    write_text(folder, ".c", "c: 1.1.1.1:1\n");
    read_targets(folder, "", &bundle);
    CHECK_EQ_U64("the INI, the list, two files, the CAs", bundle.count, 5);
    const struct bundle_file *list = bundle_find_folder(&bundle, span_from_str(folder));
    if (CHECK_TRUE("list", list != NULL)) {
        char want[256];
        snprintf(want, sizeof(want), "%s/a\n%s/b\n", folder, folder);
        CHECK_EQ_STR("list", list->bytes.data, want);
    }
    CHECK_TRUE("no file", bundle_find(&bundle, span_from_str(folder)) == NULL);
    check_targets("two of three lines", &bundle, 2);
    read_targets(folder, "/", &again);
    CHECK_EQ_U64("with a slash", again.count, 5);
    check_targets("with a slash", &again, 2);
    bundle_done(&again);

    char *bytes = bundle_encode(&bundle, &len);
    CHECK_TRUE("decode", bundle_decode(&decoded, (struct span){bytes, len}, &detail));
    mem_free(bytes);
    CHECK_TRUE("decoded", bundle_is_same(&bundle, &decoded));
    check_targets("decoded", &decoded, 2);
    bundle_done(&decoded);

    bundle_read_again(&again, &bundle);
    CHECK_TRUE("unchanged", bundle_is_same(&bundle, &again));
    bundle_done(&again);
    write_text(folder, "d", "d: 1.1.1.1:1\n");
    bundle_read_again(&again, &bundle);
    CHECK_FALSE("one more", bundle_is_same(&bundle, &again));
    check_targets("one more", &again, 3);
    bundle_done(&again);
    bundle_done(&bundle);
    remove_file(folder, "a");
    remove_file(folder, "b");
    remove_file(folder, ".c");
    remove_file(folder, "d");
    rmdir(folder);
    CHECK_EQ_U64("blocks", mem_live_blocks(), blocks);
}

CU_TestInfo bundle_tests[] = {
    {"a bundle has each file that a key names, once", test_read},
    {"a sealed bundle makes the same snapshot elsewhere", test_sealed},
    {"only a sealed memory file is read", test_not_sealed},
    {"damaged bytes", test_hostile},
    {"a directory of files", test_folder},
    CU_TEST_INFO_NULL,
};
