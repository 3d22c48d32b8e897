/* SPDX-License-Identifier: GPL-3.0-or-later */
// Routes whose 101 comes before the token and the dial.
#include "life_kit.h"

static struct life token_life(bool has_backend, uint16_t backend_code)
{
    /* on_refuse = http changes nothing here, because every refusal comes after the 101. */
    struct life_route route = {.has_backend = has_backend,
                               .is_http_refusal = true,
                               .is_token_first = true,
                               .backend_code = backend_code};
    struct life life = requested_life(&route);
    CHECK_EQ_U64("101 first", life_step(&life, &request_ok), LIFE_DO_ACCEPT_101);
    CHECK_EQ_INT("101 first", life.phase, LIFE_TOKEN);
    CHECK_TRUE("the token is read", life_reads_client(&life));
    return life;
}

static struct life token_dial(uint16_t backend_code)
{
    struct life life = token_life(true, backend_code);
    CHECK_EQ_U64("good token", life_step(&life, &token_ok), LIFE_DO_DIAL);
    CHECK_EQ_INT("good token", life.phase, LIFE_DIAL);
    CHECK_FALSE("what follows stays in the kernel", life_reads_client(&life));
    return life;
}

static void test_good_token(void)
{
    struct life life = token_dial(1011);
    CHECK_EQ_U64("no second token", life_step(&life, &token_ok), 0);
    CHECK_EQ_U64("no second 101", life_step(&life, &backend_up), 0);
    CHECK_EQ_INT("open", life.phase, LIFE_OPEN);
    CHECK_TRUE("open", life_reads_client(&life) && life_reads_backend(&life));
    CHECK_EQ_U64("half-close as ever", life_step(&life, &client_close), 0);
    CHECK_EQ_INT("half-close as ever", life.phase, LIFE_HALF_CLOSED);

    life = token_life(false, 1011);
    CHECK_EQ_U64("echo", life_step(&life, &token_ok), LIFE_DO_DIAL);
    CHECK_EQ_U64("echo", life_step(&life, &backend_up), 0);
    CHECK_EQ_INT("echo", life.phase, LIFE_OPEN);

    life = open_session();
    CHECK_EQ_U64("not asked for", life_step(&life, &token_ok), 0);
    CHECK_EQ_INT("not asked for", life.phase, LIFE_OPEN);

    life = token_life(true, 1011);
    CHECK_EQ_U64("nothing is dialled yet", life_step(&life, &request_ok), 0);
    CHECK_EQ_INT("nothing is dialled yet", life.phase, LIFE_TOKEN);
}

struct refusal_row {
    enum life_ending ending;
    uint16_t code; /* 0 = no Close, only a FIN */
};

static const struct refusal_row token_rows[] = {
    {LIFE_AUTH, 1008},     {LIFE_SOURCE, 1008},   {LIFE_LIMIT_SOURCE, 1013}, {LIFE_FULL, 1013},
    {LIFE_PROTOCOL, 1002}, {LIFE_BAD_TEXT, 1007}, {LIFE_TOO_BIG, 1009},      {LIFE_SHUTDOWN, 1001},
    {LIFE_DRAIN, 1012},    {LIFE_INTERNAL, 1011}, {LIFE_AUTH_EXPIRED, 1008}, {LIFE_BAD_REQUEST, 0},
};

static void test_refused_token(void)
{
    for (size_t i = 0; i < sizeof(token_rows) / sizeof(token_rows[0]); i++) {
        const struct refusal_row *row = &token_rows[i];
        const char *word = life_ending_row(row->ending)->word;
        struct life life = token_life(true, 1014);
        CHECK_EQ_U64(word, end_step(&life, row->ending), row->code != 0 ? LIFE_DO_SEND_CLOSE : 0);
        CHECK_EQ_U64(word, life.close_code, row->code);
        CHECK_EQ_INT(word, life.phase, LIFE_CLOSING); // what is queued leaves first
        CHECK_EQ_INT(word, life.ended_in, LIFE_TOKEN);
        CHECK_EQ_U64(word, life_step(&life, &token_ok), 0);
    }

    struct life life = token_life(true, 1011);
    CHECK_EQ_U64("bad token", end_step(&life, LIFE_AUTH), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_U64("flushed", life_step(&life, &client_flushed), 0);
    CHECK_EQ_U64("theirs", life_step(&life, &client_close), LIFE_DO_CLIENT_FINISH);
    CHECK_EQ_U64("eof", life_step(&life, &client_eof), LIFE_DO_CLIENT_CLOSE | LIFE_DO_RETIRE);
}

static void test_token_deadline(void)
{
    struct life_times times = {.phase_since_ms = 100};
    struct life life = token_life(true, 1011);
    struct life_deadline d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("token", d.kind, LIFE_DEADLINE_CLIENT);
    CHECK_EQ_U64("token", d.at_ms, 7100);
    CHECK_EQ_U64("no token", life_step(&life, &deadline), LIFE_DO_SEND_CLOSE);
    CHECK_EQ_INT("no token", life.ending, LIFE_AUTH);
    CHECK_EQ_U64("no token", life.close_code, 1008);

    life = token_life(true, 1011);
    times.client_stuck_ms = 50; /* the 101 does not leave */
    times.phase_since_ms = 40000;
    d = life_deadline(&life, &life_kit_timeouts, &times);
    CHECK_EQ_INT("stuck", d.ending, LIFE_CLIENT_STALLED);
    CHECK_EQ_U64("stuck", end_step(&life, d.ending), LIFE_DO_CLIENT_ABORT | LIFE_DO_RETIRE);

    life = token_dial(1011);
    times = (struct life_times){.phase_since_ms = 100};
    CHECK_EQ_U64("dial", life_deadline(&life, &life_kit_timeouts, &times).at_ms, 5100);
    CHECK_EQ_U64("dial", life_step(&life, &deadline), LIFE_DO_CANCEL_DIAL | LIFE_DO_SEND_CLOSE);
    CHECK_EQ_INT("dial", life.ending, LIFE_BACKEND_TIMEOUT);
    CHECK_EQ_U64("dial", life.close_code, 1011);
}

/* The client goes in TOKEN (`dialled` = 0), or in the DIAL that follows. */
static void test_client_goes(void)
{
    for (int dialled = 0; dialled < 2; dialled++) {
        unsigned cancel = dialled ? LIFE_DO_CANCEL_DIAL : 0;
        const char *row = dialled ? "in DIAL" : "in TOKEN";

        struct life life = dialled ? token_dial(1011) : token_life(true, 1011);
        CHECK_EQ_U64(row, life_step(&life, &client_close), cancel | LIFE_DO_SEND_CLOSE);
        CHECK_EQ_INT(row, life.ending, LIFE_CLIENT_CLOSE);
        CHECK_EQ_U64(row, life.close_code, 4000);
        CHECK_EQ_U64(row, life_step(&life, &backend_up), LIFE_DO_BACKEND_CLOSE);
        CHECK_EQ_U64(row, life_step(&life, &client_flushed), LIFE_DO_CLIENT_FINISH);

        life = dialled ? token_dial(1011) : token_life(true, 1011);
        CHECK_EQ_U64(row, life_step(&life, &client_eof), cancel);
        CHECK_EQ_INT(row, life.ending, LIFE_CLIENT_EOF);
        CHECK_EQ_U64(row, life_step(&life, &client_flushed),
                     LIFE_DO_CLIENT_FINISH | LIFE_DO_CLIENT_CLOSE | LIFE_DO_RETIRE);

        life = dialled ? token_dial(1011) : token_life(true, 1011);
        CHECK_EQ_U64(row, life_step(&life, &client_reset),
                     cancel | LIFE_DO_CLIENT_ABORT | LIFE_DO_RETIRE);
        CHECK_EQ_INT(row, life.ending, LIFE_CLIENT_RESET);

        life = dialled ? token_dial(1011) : token_life(true, 1011);
        CHECK_EQ_U64(row, life_step(&life, &kill_it),
                     cancel | LIFE_DO_SEND_CLOSE | LIFE_DO_CLIENT_ABORT | LIFE_DO_RETIRE);
    }
}

/* No frame can come before the 101. */
static void test_close_before_101(void)
{
    struct life_route route = {.has_backend = true, .backend_code = 1011};
    struct life life = requested_life(&route);
    CHECK_EQ_U64("in REQUEST", life_step(&life, &client_close), 0);
    CHECK_EQ_U64("in REQUEST", life_step(&life, &request_ok), LIFE_DO_DIAL);
    CHECK_EQ_U64("in DIAL", life_step(&life, &client_close), 0);
    CHECK_EQ_U64("open", life_step(&life, &backend_up), LIFE_DO_ACCEPT_101);
    CHECK_EQ_U64("the real one", life_step(&life, &client_close), 0);
    CHECK_EQ_INT("the real one", life.phase, LIFE_HALF_CLOSED);
}

static void test_failed_dial(void)
{
    static const enum life_ending endings[] = {LIFE_BACKEND_REFUSED, LIFE_BACKEND_TIMEOUT,
                                               LIFE_BACKEND_NAME, LIFE_BACKEND_TLS};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        for (unsigned code = 1011; code <= 1014; code += 3) {
            const char *word = life_ending_row(endings[i])->word;
            struct life life = token_dial((uint16_t)code);
            CHECK_EQ_U64(word, end_step(&life, endings[i]),
                         LIFE_DO_CANCEL_DIAL | LIFE_DO_SEND_CLOSE);
            CHECK_EQ_U64(word, life.close_code, code);
            CHECK_TRUE("their Close is waited for", life_reads_client(&life));
        }
    }
}

CU_TestInfo life_token_tests[] = {
    {"a good token", test_good_token},
    {"a refused token", test_refused_token},
    {"deadlines", test_token_deadline},
    {"the client goes", test_client_goes},
    {"a Close before the 101", test_close_before_101},
    {"a dial that fails behind the 101", test_failed_dial},
    CU_TEST_INFO_NULL,
};
