/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of [files NAME]. */
#include "conf/key_rows.h"

static const struct key_choice cache_words[] = {{"no", 0}, {NULL, 0}};

static bool has_root(const void *base)
{
    return ((const struct config_files *)base)->root_path.len > 0;
}

static const struct key_need need_root = {has_root, "root"};

const struct key key_files_rows[] = {
    KEY(KEY_FILES, "path", TEXT(value_read_path, value_show_path), FILES_FIELD(place),
        .is_required = true, .values = "`/NAME/*`, `/*`", .help = "a prefix, which ends in /*"),
    KEY(KEY_FILES, "root", TEXT(value_read_text, value_show_text), FILES_FIELD(root_path),
        .names_directory = true, .values = "a directory", .empty = "no files but those of the kit",
        .help = "the directory that is served below the path"),
    KEY(KEY_FILES, "index", TEXT(value_read_file_name, value_show_text), FILES_FIELD(index),
        .fallback = "index.html", .need = &need_root, .empty = "a directory is not found",
        .values = "the name of a file", .help = "the file that answers for a directory"),
    KEY(KEY_FILES, "cache", DURATION(SECOND_MS, 365 * DAY_MS), .choices = cache_words,
        .fallback = "no", FILES_FIELD(cache_ms),
        .help = "how long a browser uses a file without asking again (max-age)"),
    KEY(KEY_FILES, "keep_alive", DURATION(SECOND_MS, HOUR_MS), .zero_word = "off",
        .fallback = "15s", FILES_FIELD(kept_ms),
        .help = "how long a connection waits for a further request"),
    KEY(KEY_FILES, "page_kit", CHOICE(on_words), .fallback = "off", FILES_FIELD(has_kit),
        .help = "sluice.js, the module for pages that comes with sluice, is served too"),
    KEY(KEY_FILES, "headers", LIST(value_read_header, value_show_text),
        FILES_ITEMS(headers, header_count), .max = 16, .noun = "header", .empty = "none",
        .help = "lines that go with each file, as NAME: VALUE"),
};

const size_t key_files_row_count = sizeof(key_files_rows) / sizeof(key_files_rows[0]);
