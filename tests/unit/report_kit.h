/* SPDX-License-Identifier: GPL-3.0-or-later */
// The text of a report, as the program prints it for the file f.ini.
#ifndef TESTS_UNIT_REPORT_KIT_H
#define TESTS_UNIT_REPORT_KIT_H

#include <stdio.h>

#include "conf/report.h"

// The caller frees the text.
static char *report_text(const struct report *report)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    report_print(report, "f.ini", out);
    fclose(out);
    return text;
}

#endif
