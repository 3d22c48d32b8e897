/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/words.h"

#include <stdint.h>
#include <string.h>

#define WORD_MAX 48

/* Damerau and Levenshtein's distance, by rows: one to fill, and the two before it. */
size_t words_distance(struct span a, struct span b)
{
    size_t rows[3][WORD_MAX + 1]; /* the row before last, the last, this one */

    if (a.len > WORD_MAX || b.len > WORD_MAX) {
        return SIZE_MAX;
    }
    memset(rows, 0, sizeof(rows));
    for (size_t j = 0; j <= b.len; j++) {
        rows[1][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        rows[2][0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool is_same = a.data[i - 1] == b.data[j - 1];
            size_t best = size_min(rows[1][j], rows[2][j - 1]) + 1;

            best = size_min(best, rows[1][j - 1] + (is_same ? 0 : 1));
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1]) {
                best = size_min(best, rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        memcpy(rows[0], rows[1], sizeof(rows[0]));
        memcpy(rows[1], rows[2], sizeof(rows[1]));
    }
    return rows[1][b.len];
}

/* Longer words may have more slips in them. */
static bool is_slip(struct span word, struct span known, size_t distance)
{
    size_t longest = word.len > known.len ? word.len : known.len;

    return distance <= size_min(1 + longest / 5, 3);
}

bool words_is_nearer(struct span word, struct span known, size_t *distance)
{
    size_t this_distance = words_distance(word, known);

    if (this_distance >= *distance || !is_slip(word, known, this_distance)) {
        return false;
    }
    *distance = this_distance;
    return true;
}
