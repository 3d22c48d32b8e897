/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/files.h"

static void check_place(struct build *build, const struct draft_section *section,
                        const struct config_files *files)
{
    const struct draft_value *path = draft_value(section, "path");

    if (files->place.path.len == 0) {
        return; /* reported */
    }
    if (!files->place.is_prefix) {
        report_add(build->report, path->line,
                   "[files %.*s] serves a directory, so its path ends in /*",
                   REPORT_SHOW(files->place.name));
    }
    for (size_t i = 0; i < build->config->file_count; i++) {
        const struct config_files *other = &build->config->files[i];

        if (span_is_equal(other->place.path, files->place.path)) {
            report_add(build->report, path->line,
                       "[files %.*s] has the path of [files %.*s] (line %u)",
                       REPORT_SHOW(files->place.name), REPORT_SHOW(other->place.name), other->line);
            return;
        }
    }
}

static void check_root(struct build *build, const struct draft_section *section,
                       struct config_files *files)
{
    const struct draft_value *root = draft_value(section, "root");
    const struct bundle_file *directory =
        root->items != NULL ? build_file(build, root->items) : NULL;

    if (directory != NULL) {
        files->root_identity = directory->bytes;
        if (!arena_copy(build->texts, directory->bytes, &files->root_identity)) {
            report_no_memory(build->report);
        }
    }
    if (root->line == 0 && !files->has_kit) {
        report_add(build->report, section->line,
                   "[files %.*s] has neither root nor page_kit = on: there is nothing to serve",
                   REPORT_SHOW(files->place.name));
    }
}

static void check_headers(struct build *build, const struct draft_section *section,
                          const struct config_files *files)
{
    size_t bytes = 0;

    for (size_t i = 0; i < files->header_count; i++) {
        bytes += files->headers[i].len + 2;
    }
    if (bytes > FILES_HEADER_BYTES_MAX) {
        report_add(build->report, draft_value(section, "headers")->line,
                   "the headers of [files %.*s] have more than %u bytes together",
                   REPORT_SHOW(files->place.name), (unsigned)FILES_HEADER_BYTES_MAX);
    }
}

static void build_files(struct build *build, const struct draft_section *section,
                        struct config_files *files)
{
    files->place.name = section->name;
    files->line = section->line;
    build_fallbacks(build, KEY_FILES, files);
    build_section(build, section, files);
    build_check_needs(build, section, files);
    check_place(build, section, files);
    check_root(build, section, files);
    check_headers(build, section, files);
}

void files_build(struct build *build)
{
    struct config *config = build->config;
    size_t count = draft_count(build->draft, KEY_FILES);

    config->files = build_array(build, count, sizeof(*config->files));
    if (config->files == NULL) {
        return;
    }
    for (const struct draft_section *s = build->draft->sections; s != NULL; s = s->next) {
        if (s->kind == KEY_FILES) {
            build_files(build, s, &config->files[config->file_count]);
            config->file_count++;
        }
    }
}
