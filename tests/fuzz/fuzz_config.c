/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config: any bytes are a snapshot or a list of errors in line order; a snapshot prints as a text
 * that is accepted and prints the same again. */
#include "conf/config.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "conf/config_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two users are enough, and need no file: looking one up took most of the time. */
struct passwd *getpwnam(const char *name)
{
    static struct passwd user = {.pw_uid = 65534, .pw_gid = 65534};

    return strcmp(name, "nobody") == 0 || strcmp(name, "sluice") == 0 ? &user : NULL;
}

/* The scanner's lines are the text, in order, and keep its promises. */
static void check_scan(struct span text)
{
    struct config_scan scan;
    struct config_line line;
    const char *at = text.data;
    unsigned number = 0;

    config_scan_init(&scan, text);
    while (config_scan_next(&scan, &line)) {
        number++;
        assert(line.number == number);
        assert(line.text.data >= at && line.text.data + line.text.len <= text.data + text.len);
        at = line.text.data + line.text.len;
        assert((line.kind == CONFIG_LINE_BAD) == (line.problem != NULL));
        if (line.kind == CONFIG_LINE_SECTION || line.kind == CONFIG_LINE_KEY) {
            assert(line.text.len <= CONFIG_LINE_MAX && utf8_is_valid(line.text));
            assert(line.name.len > 0 && line.name.len <= CONFIG_NAME_MAX);
            assert(memchr(line.text.data, '\0', line.text.len) == NULL);
        }
    }
}

static void check_errors(const struct config_errors *errors)
{
    assert(errors->count > 0);
    for (size_t i = 0; i < errors->count; i++) {
        assert(errors->items[i].message[0] != '\0');
        assert(i == 0 || errors->items[i - 1].line <= errors->items[i].line);
        /* What a terminal would act upon is refused before it is quoted. */
        for (const char *c = errors->items[i].message; *c != '\0'; c++) {
            assert((unsigned char)*c >= 0x20 || *c == '\t');
        }
    }
}

static char *print(const struct config *config, size_t *out_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_len);

    assert(out != NULL);
    config_print(config, out);
    fclose(out);
    return text;
}

static void check_print(const struct config *config)
{
    struct config_errors errors;
    size_t first_len;
    size_t second_len;
    char *first = print(config, &first_len);
    struct config *again = config_parse("again", (struct span){first, first_len}, &errors);
    char *second;

    if (again == NULL) {
        config_errors_print("again", &errors, stderr);
    }
    assert(again != NULL && errors.count == 0);
    assert(again->listen_count == config->listen_count);
    assert(again->route_count == config->route_count);
    second = print(again, &second_len);
    assert(first_len == second_len && memcmp(first, second, first_len) == 0);
    config_free(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {size > 0 ? (const char *)data : "", size};
    struct config_errors errors;
    struct config *config;
    size_t blocks = mem_live_blocks();

    check_scan(text);
    config = config_parse("input", text, &errors);
    if (config == NULL) {
        check_errors(&errors);
    } else {
        assert(errors.count == 0);
        assert(config->workers > 0 && config->listen_count > 0 && config->route_count > 0);
        check_print(config);
    }
    config_errors_free(&errors);
    config_free(config);
    assert(mem_live_blocks() == blocks);
    return 0;
}
