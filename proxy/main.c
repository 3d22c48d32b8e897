/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice: what the command line asks for, and exit codes; everything else is in gate/. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "conf/key.h"
#include "conf/options.h"
#include "conf/to.h"
#include "gate/descriptors.h"
#include "gate/handover.h"
#include "gate/health.h"
#include "gate/inherit.h"
#include "gate/jail.h"
#include "gate/master.h"
#include "io/cert.h"
#include "io/tls.h"

#define HEALTH_TIMEOUT_MS 5000

enum exit_code { EXIT_DONE = 0, EXIT_BAD_CONFIG = 1, EXIT_BAD_USAGE = 2, EXIT_NOT_STARTED = 3 };

static int bad_usage(const char *message)
{
    if (message != NULL) {
        fprintf(stderr, "sluice: %s\n", message);
    }
    fprintf(stderr, "sluice: try --help\n");
    return EXIT_BAD_USAGE;
}

/* What a container's HEALTHCHECK runs: 0 and 1 are all that it may return. */
static int ask_health(const char *path)
{
    struct report report = {0};
    struct addr address = {.len = 0};
    char text[HEALTH_TEXT_MAX];
    int code = EXIT_BAD_CONFIG;

    if (!config_health_address(path, &address, &report)) {
        report_print(&report, path, stderr);
    } else if (health_ask(&address, HEALTH_TIMEOUT_MS, text)) {
        printf("%s\n", text);
        code = EXIT_DONE;
    } else {
        fprintf(stderr, "sluice: not ready: %s\n", text);
    }
    report_done(&report);
    return code;
}

static void announce_demo(const struct addr *address)
{
    char text[ADDR_TEXT_MAX];
    printf("\n"
           "  sluice demo: open  https://localhost:%u/\n"
           "\n"
           "  No browser trusts the certificate, which sluice has just made: tell yours to go on.\n"
           "  On the page: connect to /echo, send something, watch it come back.\n"
           "  Routes: /echo, /echo-binary, /refused (Close 1008), /down (Close 1011).\n"
           "  Listening on %s. Ctrl-C stops it.\n"
           "  Next: config/sluice.ini and config/README.md show how to set up a service.\n"
           "\n",
           addr_port(address), addr_print(address, text, sizeof(text)));
    fflush(stdout);
}

/* on_ready has no other way to know them. */
static const struct to_options *announced;

static void announce_to(const struct addr *address)
{
    to_announce(announced, address, stdout);
}

/* --demo has no bundle. */
static struct config *load(const struct options *options, const char **out_path,
                           struct bundle *bundle, struct report *report)
{
    static struct cert_pair pair; /* the snapshot copies it; static because it is large */
    if (options->is_to) {
        *out_path = "sluice";
        return to_build(&options->to, bundle, report);
    }
    if (!options->is_demo) {
        *out_path = options->config_path;
        bundle_read(bundle, *out_path);
        return config_build(bundle, CONFIG_TO_PROVE, report);
    }
    *out_path = "--demo";
    if (!cert_make_throw_away(&pair)) {
        fprintf(stderr, "sluice: cannot make a certificate\n");
        return NULL;
    }
    return config_demo(span_from_str(options->to.listen),
                       (struct span){pair.certificate, pair.certificate_len},
                       (struct span){pair.key, pair.key_len}, report);
}

/* A descriptor that is closed at the start would become that of a socket, and errors would go
 * there. */
static void open_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

static void print_check(const struct config *config, const struct report *report, const char *path)
{
    char text[DESCRIPTORS_WARNING_MAX];

    report_print(report, path, stderr);
    if (descriptors_warning(config, descriptors_raise(), text)) {
        fprintf(stderr, "sluice: warning: %s\n", text);
    }
    printf("%s: ok\n", path);
}

/* Where no master takes anything over. */
static int done(struct config *config, struct bundle *bundle, struct report *report, int code)
{
    report_done(report);
    config_free(config);
    bundle_done(bundle);
    return code;
}

static int fail(const struct options *options, const struct report *report, const char *path)
{
    if (mem_is_short()) {
        fprintf(stderr, "sluice: cannot start: out of memory\n");
        return EXIT_NOT_STARTED;
    }
    report_print(report, path, stderr);
    /* The only words of such a configuration that a user wrote are on the command line. */
    return options->is_demo || options->is_to ? EXIT_BAD_USAGE : EXIT_BAD_CONFIG;
}

/* Everything that wants a configuration. Only master_run takes something out of what is inherited.
 */
static int run(const struct options *options, char **argv, struct handover *handover,
               struct inherit *inherited)
{
    struct report report = {0};
    struct bundle bundle = {.count = 0};
    const char *path = NULL;

    jail_close_memory(); /* before there is a key in it */
    struct config *config = load(options, &path, &bundle, &report);
    if (config == NULL) {
        return done(NULL, &bundle, &report, fail(options, &report, path));
    }
    if (options->task == OPTIONS_PRINT_CONFIG) {
        config_print(config, stdout);
        return done(config, &bundle, &report, EXIT_DONE);
    }
    if (options->task == OPTIONS_CHECK) {
        print_check(config, &report, path);
        return done(config, &bundle, &report, EXIT_DONE);
    }
    log_init(STDERR_FILENO, config->log_level, config->log_format);
    log_send_to(config->log_sink, config->log_socket.data);
    report_log(&report, path);
    report_done(&report);
    announced = &options->to;
    const struct master_start start = {
        .config = config,
        .bundle = &bundle,
        .handover = handover,
        .inherited = inherited,
        .argv = argv,
        .on_ready = options->is_demo ? announce_demo
                    : options->is_to ? announce_to
                                     : NULL,
    };
    return master_run(&start);
}

static int start(int argc, char **argv, struct handover *handover, struct inherit *inherited)
{
    struct options options;
    const char *fault;

    if (!options_read(argc, argv, &options, &fault)) {
        return bad_usage(fault);
    }
    switch (options.task) {
    case OPTIONS_HELP:
        fputs(options_usage, stdout);
        return EXIT_DONE;
    case OPTIONS_VERSION:
        printf("sluice %s (wolfSSL %s)\n", SLUICE_VERSION, tls_library_version());
        return EXIT_DONE;
    case OPTIONS_KEYS:
        key_print(stdout);
        return EXIT_DONE;
    case OPTIONS_HEALTH:
        return ask_health(options.config_path);
    case OPTIONS_SERVE:
    case OPTIONS_CHECK:
    case OPTIONS_PRINT_CONFIG:
        break;
    }
    return run(&options, argv, handover, inherited);
}

/* False: standard error says why. */
static bool take_inherited(struct handover *handover, struct inherit *inherited)
{
    const char *detail = NULL;
    open_standard_descriptors();
    bool is_read = inherit_read(inherited);
    bool is_taken = handover_take(handover, &detail);
    jail_close_inherited(inherited->count, handover->fds, handover->fd_count);
    if (!is_taken) {
        fprintf(stderr, "sluice: cannot start: cannot take over from the sluice before: %s\n",
                detail);
    } else if (!is_read) {
        fprintf(stderr, "sluice: cannot start: out of memory\n");
    }
    return is_read && is_taken;
}

/* The workers inherit it: they can open no file to find an own one. */
static bool seed_json(void)
{
    uint64_t random = 0;
    bool is_there = getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random);
    if (!is_there) {
        fprintf(stderr, "sluice: cannot start: the system gives no random numbers\n");
    }
    json_doc_start(random);
    return is_there;
}

int main(int argc, char **argv)
{
    struct handover handover;
    struct inherit inherited;
    int code = EXIT_NOT_STARTED;
    if (take_inherited(&handover, &inherited) && seed_json()) {
        code = start(argc, argv, &handover, &inherited);
    }
    handover_done(&handover);
    inherit_done(&inherited);
    return code;
}
