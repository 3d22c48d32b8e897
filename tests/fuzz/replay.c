/* SPDX-License-Identifier: GPL-3.0-or-later */
// Runs a fuzz target over files, with any compiler; each file is a plain test. A crash that fuzzing
// found becomes a regression test when its input joins the corpus.
//
//   replay_NAME FILE...
//
// The program prints a file's name before it runs the file, and `ok FILE` when the file passed. A
// target that finds a fault aborts, so the last name is the culprit.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLAY_MAX_BYTES = 1 << 20 };

static uint8_t contents[REPLAY_MAX_BYTES];

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        printf("cannot open\n");
        return -1;
    }
    size_t size = fread(contents, 1, sizeof(contents), file);
    int unread = ferror(file) || (!feof(file) && fgetc(file) != EOF);

    fclose(file);
    if (unread) {
        printf("cannot read, or longer than %d bytes\n", REPLAY_MAX_BYTES);
        return -1;
    }
    // A block of exactly this size, so that the address checker sees a read past its end.
    uint8_t *input = malloc(size == 0 ? 1 : size);

    if (input == NULL) {
        printf("out of memory\n");
        return -1;
    }
    memcpy(input, contents, size);
    int result = LLVMFuzzerTestOneInput(input, size);

    free(input);
    return result;
}

int main(int argc, char **argv)
{
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        printf("run %s\n", argv[i]);
        if (replay_file(argv[i]) != 0) {
            printf("FAIL %s\n", argv[i]);
            failed = 1;
        } else {
            printf("ok %s\n", argv[i]);
        }
    }
    return failed;
}
