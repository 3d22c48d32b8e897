/* SPDX-License-Identifier: GPL-3.0-or-later */
// Offers of permessage-deflate and our responses, for tests/unit/test_deflate_offer.c.
#ifndef TESTS_UNIT_DEFLATE_ROWS_H
#define TESTS_UNIT_DEFLATE_ROWS_H

#include "proto/deflate.h"

#define PMD "permessage-deflate"
#define SNCT "; server_no_context_takeover"
#define CNCT "; client_no_context_takeover"
#define SMWB "; server_max_window_bits"
#define CMWB "; client_max_window_bits"

struct offer_row {
    const char *name;
    const char *value;
    const char *want;    // the response; NULL: DEFLATE_NONE; or MALFORMED
    uint8_t window_bits; // 0 = 15
    bool is_anew;        // the route wants no takeover
};

static const char malformed[] = "(malformed)";

static const struct offer_row offer_rows[] = {
    // One parameter after the other.
    {"plain", PMD, PMD, 0, false},
    {"server takeover", PMD SNCT, PMD SNCT, 0, false},
    {"client takeover", PMD CNCT, PMD CNCT, 0, false},
    {"both takeovers", PMD CNCT SNCT, PMD SNCT CNCT, 0, false},
    {"server 8", PMD SMWB "=8", PMD SMWB "=8", 0, false},
    {"server 9", PMD SMWB "=9", PMD SMWB "=9", 0, false},
    {"server 10", PMD SMWB "=10", PMD SMWB "=10", 0, false},
    {"server 15", PMD SMWB "=15", PMD SMWB "=15", 0, false},
    {"server 15, ours less", PMD SMWB "=15", PMD SMWB "=15", 10, false},
    {"client, no number", PMD CMWB, PMD, 0, false},
    {"client, no number, ours 12", PMD CMWB, PMD CMWB "=12", 12, false},
    {"client, no number, ours 9", PMD CMWB, PMD CMWB "=9", 9, false},
    {"client 8", PMD CMWB "=8", PMD CMWB "=8", 0, false},
    {"client 8, ours 9", PMD CMWB "=8", PMD CMWB "=8", 9, false},
    {"client 12", PMD CMWB "=12", PMD CMWB "=12", 0, false},
    {"client 12, ours 10", PMD CMWB "=12", PMD CMWB "=10", 10, false},
    {"client 15", PMD CMWB "=15", PMD CMWB "=15", 0, false},
    {"client 15, ours 14", PMD CMWB "=15", PMD CMWB "=14", 14, false},
    {"client not offered, ours 9", PMD, PMD, 9, false},
    {"all", PMD CNCT SNCT CMWB "=11" SMWB "=13", PMD SNCT CNCT SMWB "=13" CMWB "=11", 0, false},
    {"all, ours 10", PMD CMWB SMWB "=13" SNCT CNCT, PMD SNCT CNCT SMWB "=13" CMWB "=10", 10, false},
    {"browsers", PMD CMWB, PMD SNCT CNCT, 0, true},
    {"anew", PMD, PMD SNCT CNCT, 0, true},
    {"anew, offered", PMD SNCT, PMD SNCT CNCT, 0, true},
    {"anew, all", PMD SNCT CNCT SMWB "=8" CMWB, PMD SNCT CNCT SMWB "=8" CMWB "=9", 9, true},

    // Numbers.
    {"server 7", PMD SMWB "=7", NULL, 0, false},
    {"server 16", PMD SMWB "=16", NULL, 0, false},
    {"server 0", PMD SMWB "=0", NULL, 0, false},
    {"server 1", PMD SMWB "=1", NULL, 0, false},
    {"server 08", PMD SMWB "=08", NULL, 0, false},
    {"server 010", PMD SMWB "=010", NULL, 0, false},
    {"server 100", PMD SMWB "=100", NULL, 0, false},
    {"server 4294967304", PMD SMWB "=4294967304", NULL, 0, false},
    {"server 18446744073709551624", PMD SMWB "=18446744073709551624", NULL, 0, false},
    {"server +9", PMD SMWB "=+9", NULL, 0, false},
    {"server -9", PMD SMWB "=-9", NULL, 0, false},
    {"server 9.0", PMD SMWB "=9.0", NULL, 0, false},
    {"server 0x9", PMD SMWB "=0x9", NULL, 0, false},
    {"server a", PMD SMWB "=a", NULL, 0, false},
    {"server without number", PMD SMWB, NULL, 0, false},
    {"client 7", PMD CMWB "=7", NULL, 0, false},
    {"client 16", PMD CMWB "=16", NULL, 0, false},
    {"client 09", PMD CMWB "=09", NULL, 0, false},
    {"client x", PMD CMWB "=x", NULL, 0, false},
    {"client 256 and 15", PMD CMWB "=271", NULL, 0, false},

    // Quotes.
    {"quoted", PMD SMWB "=\"10\"", PMD SMWB "=10", 0, false},
    {"quoted client", PMD CMWB "=\"9\"", PMD CMWB "=9", 0, false},
    {"quoted with escapes", PMD SMWB "=\"\\1\\0\"", PMD SMWB "=10", 0, false},
    {"quoted with one escape", PMD SMWB "=\"1\\5\"", PMD SMWB "=15", 0, false},
    {"quoted empty", PMD CMWB "=\"\"", NULL, 0, false},
    {"quoted server empty", PMD SMWB "=\"\"", NULL, 0, false},
    {"quoted blank in front", PMD SMWB "=\" 9\"", NULL, 0, false},
    {"quoted blank behind", PMD SMWB "=\"9 \"", NULL, 0, false},
    {"quoted 08", PMD SMWB "=\"08\"", NULL, 0, false},
    {"quoted quote", PMD SMWB "=\"\\\"\"", NULL, 0, false},
    {"quote not closed", PMD SMWB "=\"9", malformed, 0, false},
    {"quote only", PMD SMWB "=\"", malformed, 0, false},
    {"quote ends in a backslash", PMD SMWB "=\"9\\", malformed, 0, false},
    {"quote closed by an escape", PMD SMWB "=\"9\\\"", malformed, 0, false},
    {"control in quotes", PMD SMWB "=\"\x01\"", malformed, 0, false},
    {"escaped control in quotes", PMD SMWB "=\"\\\x7f\"", malformed, 0, false},
    {"text behind the quote", PMD SMWB "=\"9\"9", malformed, 0, false},
    {"quoted name", PMD "; \"server_max_window_bits\"=9", malformed, 0, false},
    {"quoted extension", "\"permessage-deflate\"", malformed, 0, false},

    // Declined.
    {"unknown parameter", PMD "; foo", NULL, 0, false},
    {"unknown parameter with value", PMD "; foo=bar", NULL, 0, false},
    {"unknown behind known", PMD SNCT "; foo", NULL, 0, false},
    {"name in capitals", PMD "; Server_No_Context_Takeover", NULL, 0, false},
    {"name too long", PMD "; server_no_context_takeover_", NULL, 0, false},
    {"name too short", PMD "; server_no_context_takeove", NULL, 0, false},
    {"takeover with value", PMD SNCT "=1", NULL, 0, false},
    {"client takeover with value", PMD CNCT "=true", NULL, 0, false},
    {"takeover with empty value", PMD SNCT "=\"\"", NULL, 0, false},
    {"server takeover twice", PMD SNCT SNCT, NULL, 0, false},
    {"client takeover twice", PMD CNCT CNCT, NULL, 0, false},
    {"server bits twice", PMD SMWB "=9" SMWB "=9", NULL, 0, false},
    {"client bits twice", PMD CMWB CMWB, NULL, 0, false},
    {"client bits with and without", PMD CMWB "=9" CMWB, NULL, 0, false},

    // Other extensions.
    {"other", "x-webkit-deflate-frame", NULL, 0, false},
    {"other case", "Permessage-Deflate", NULL, 0, false},
    {"other, longer", PMD "2", NULL, 0, false},
    {"other, shorter", "permessage-deflat", NULL, 0, false},
    {"other in front", "foo, " PMD, PMD, 0, false},
    {"other behind", PMD ", foo", PMD, 0, false},
    {"others around", "foo; a=1; b, " PMD SNCT ", bar; c=\"d\"", PMD SNCT, 0, false},
    {"comma in quotes", "foo; a=\"1, " PMD "\"; b, " PMD SNCT, PMD SNCT, 0, false},
    {"semicolon in quotes", "foo; a=\"; b\", " PMD, PMD, 0, false},
    {"escaped quote", "foo; a=\"\\\"\", " PMD, PMD, 0, false},
    {"obs-text in quotes", "foo; a=\"\xff\", " PMD, PMD, 0, false},
    {"tab in quotes", "foo; a=\"\t\\\t\", " PMD, PMD, 0, false},
    {"empty quotes", "foo; a=\"\", " PMD, PMD, 0, false},
    {"same parameter twice", "foo; a; a, " PMD, PMD, 0, false},

    // Several offers.
    {"first of two", PMD SMWB "=10, " PMD, PMD SMWB "=10", 0, false},
    {"second of two", PMD SMWB "=99, " PMD, PMD, 0, false},
    {"third of three", PMD SMWB ", " PMD "; x, " PMD CMWB "=10", PMD CMWB "=10", 0, false},
    {"none of two", PMD SMWB ", " PMD "; x", NULL, 0, false},
    {"nothing of the first stays", PMD SNCT CNCT SMWB "=9" CMWB "=9; x, " PMD, PMD, 0, false},
    {"same twice", PMD ", " PMD, PMD, 0, false},
    {"malformed behind a good one", PMD ", ;", malformed, 0, false},
    {"malformed in front of a good one", "=, " PMD, malformed, 0, false},

    // Blanks and empty elements.
    {"no blanks", "permessage-deflate;server_max_window_bits=9;client_no_context_takeover",
     PMD CNCT SMWB "=9", 0, false},
    {"blanks everywhere", "\t " PMD " \t; server_max_window_bits \t= \t9 \t", PMD SMWB "=9", 0,
     false},
    {"blanks around quotes", PMD SMWB " = \"9\" ; client_max_window_bits , foo", PMD SMWB "=9", 0,
     false},
    {"nothing", "", NULL, 0, false},
    {"a blank", " ", NULL, 0, false},
    {"a comma", ",", NULL, 0, false},
    {"commas in front", ", ,\t," PMD, PMD, 0, false},
    {"commas behind", PMD " ,,", PMD, 0, false},
    {"commas between", "foo,, ," PMD, PMD, 0, false},

    // Malformed.
    {"semicolon only", ";", malformed, 0, false},
    {"semicolon at the end", PMD ";", malformed, 0, false},
    {"two semicolons", PMD ";; client_max_window_bits", malformed, 0, false},
    {"semicolon and comma", PMD ";, foo", malformed, 0, false},
    {"no value", PMD SMWB "=", malformed, 0, false},
    {"no value, more", PMD SMWB "=; foo", malformed, 0, false},
    {"no value, comma", PMD SMWB "=, foo", malformed, 0, false},
    {"no name", PMD "; =9", malformed, 0, false},
    {"two values", PMD SMWB "=9=9", malformed, 0, false},
    {"value of the extension", PMD "=9", malformed, 0, false},
    {"two words", PMD " client_max_window_bits", malformed, 0, false},
    {"two words in a parameter", PMD CMWB " x", malformed, 0, false},
    {"two words in a value", PMD SMWB "=1 0", malformed, 0, false},
    {"separator in a name", PMD "; foo@bar", malformed, 0, false},
    {"separator in a value", PMD "; foo=a/b", malformed, 0, false},
    {"parentheses", PMD "; (foo)", malformed, 0, false},
    {"obs-text", PMD "; f\xc3\xb6", malformed, 0, false},
    {"obs-text in front", "\xc3\xb6", malformed, 0, false},
    {"carriage return", PMD "\r", malformed, 0, false},
    {"line end", PMD ",\nfoo", malformed, 0, false},
    {"delete", PMD "\x7f", malformed, 0, false},
};

#endif
