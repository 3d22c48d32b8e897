/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sluice: options and exit codes; everything else is in gate/. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/config.h"
#include "gate/descriptors.h"
#include "gate/handover.h"
#include "gate/health.h"
#include "gate/inherit.h"
#include "gate/jail.h"
#include "gate/master.h"
#include "io/cert.h"
#include "io/tls.h"

#define DEFAULT_CONFIG "/etc/sluice/sluice.ini"
#define HEALTH_TIMEOUT_MS 5000

enum exit_code { EXIT_DONE = 0, EXIT_BAD_CONFIG = 1, EXIT_BAD_USAGE = 2, EXIT_NOT_STARTED = 3 };

struct options {
    const char *config_path;
    const char *listen; /* --demo only */
    bool is_check;
    bool is_print_config;
    bool is_demo;
    bool is_health;
};

static const char usage[] =
    "usage: sluice [-c FILE] [--check] [--print-config] [--version] [--help]\n"
    "       sluice --demo [--listen ADDR:PORT]\n"
    "       sluice --health [-c FILE]\n"
    "\n"
    "sluice is a gateway between browser pages (WebSocket, wss://) and TCP services.\n"
    "\n"
    "  -c, --config FILE   read this configuration; default " DEFAULT_CONFIG "\n"
    "      --check         load everything, certificates too, print every error, and exit\n"
    "      --print-config  print the configuration in force, defaults included, and exit\n"
    "      --demo          serve echo routes and a demo page with a throw-away certificate\n"
    "      --listen A:P    let the demo listen there; default 127.0.0.1:8443\n"
    "      --health        ask [health] or [admin] of a running sluice; 0 = it takes sessions\n"
    "      --version       print the versions of sluice and wolfSSL\n"
    "  -h, --help          print this text\n"
    "\n"
    "exit codes: 0 done, 1 bad configuration or not ready, 2 bad usage, 3 cannot start\n"
    "signals: SIGHUP reloads, SIGTERM and SIGINT drain and stop, SIGQUIT stops at once,\n"
    "         SIGUSR2 upgrades: the program at the same path takes over\n";

static int bad_usage(const char *message)
{
    if (message != NULL) {
        fprintf(stderr, "sluice: %s\n", message);
    }
    fprintf(stderr, "sluice: try --help\n");
    return EXIT_BAD_USAGE;
}

/* Returns the exit code, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *out)
{
    enum { OPT_CHECK = 256, OPT_PRINT, OPT_DEMO, OPT_LISTEN, OPT_HEALTH, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, OPT_CHECK},
        {"print-config", no_argument, NULL, OPT_PRINT},
        {"demo", no_argument, NULL, OPT_DEMO},
        {"listen", required_argument, NULL, OPT_LISTEN},
        {"health", no_argument, NULL, OPT_HEALTH},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        switch (option) {
        case 'c':
            out->config_path = optarg;
            break;
        case OPT_CHECK:
            out->is_check = true;
            break;
        case OPT_PRINT:
            out->is_print_config = true;
            break;
        case OPT_DEMO:
            out->is_demo = true;
            break;
        case OPT_LISTEN:
            out->listen = optarg;
            break;
        case OPT_HEALTH:
            out->is_health = true;
            break;
        case OPT_VERSION:
            printf("sluice %s (wolfSSL %s)\n", SLUICE_VERSION, tls_library_version());
            return EXIT_DONE;
        case 'h':
        case OPT_HELP:
            fputs(usage, stdout);
            return EXIT_DONE;
        default:
            return bad_usage(NULL);
        }
    }
    if (optind < argc) {
        return bad_usage("unexpected argument");
    }
    if (out->listen != NULL && !out->is_demo) {
        return bad_usage("--listen goes with --demo");
    }
    if (out->is_health && (out->is_demo || out->is_check || out->is_print_config)) {
        return bad_usage("--health asks, and does nothing else");
    }
    if (out->is_demo && out->config_path != NULL) {
        return bad_usage("--demo has a configuration of its own: leave out -c");
    }
    return -1;
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

/* --demo has no bundle. */
static struct config *load(const struct options *options, const char **out_path,
                           struct bundle *bundle, struct report *report)
{
    static struct cert_pair pair; /* the snapshot copies it; static because it is large */
    if (!options->is_demo) {
        *out_path = options->config_path != NULL ? options->config_path : DEFAULT_CONFIG;
        bundle_read(bundle, *out_path);
        return config_build(bundle, CONFIG_TO_PROVE, report);
    }
    *out_path = "--demo";
    if (!cert_make_throw_away(&pair)) {
        fprintf(stderr, "sluice: cannot make a certificate\n");
        return NULL;
    }
    return config_demo(span_from_str(options->listen),
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

/* Only master_run takes something out of what is inherited. */
static int run(int argc, char **argv, struct handover *handover, struct inherit *inherited)
{
    struct options options = {0};
    struct report report = {0};
    struct bundle bundle = {.count = 0};
    const char *path = NULL;

    int code = parse_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    if (options.is_health) {
        return ask_health(options.config_path != NULL ? options.config_path : DEFAULT_CONFIG);
    }
    jail_close_memory(); /* before there is a key in it */
    struct config *config = load(&options, &path, &bundle, &report);
    if (config == NULL && mem_is_short()) {
        fprintf(stderr, "sluice: cannot start: out of memory\n");
        report_done(&report);
        bundle_done(&bundle);
        return EXIT_NOT_STARTED;
    }
    if (config == NULL) {
        report_print(&report, path, stderr);
        report_done(&report);
        bundle_done(&bundle);
        /* The only words of the demo's configuration that a user wrote are on the command line. */
        return options.is_demo ? EXIT_BAD_USAGE : EXIT_BAD_CONFIG;
    }
    if (options.is_print_config) {
        config_print(config, stdout);
        code = EXIT_DONE;
    } else if (options.is_check) {
        report_print(&report, path, stderr);
        char text[DESCRIPTORS_WARNING_MAX];
        if (descriptors_warning(config, descriptors_raise(), text)) {
            fprintf(stderr, "sluice: warning: %s\n", text);
        }
        printf("%s: ok\n", path);
        code = EXIT_DONE;
    } else {
        log_init(STDERR_FILENO, config->log_level, config->log_format);
        log_send_to(config->log_sink, config->log_socket.data);
        report_log(&report, path);
        report_done(&report);
        const struct master_start start = {
            .config = config,
            .bundle = &bundle,
            .handover = handover,
            .inherited = inherited,
            .argv = argv,
            .on_ready = options.is_demo ? announce_demo : NULL,
        };
        return master_run(&start);
    }
    report_done(&report);
    config_free(config);
    bundle_done(&bundle);
    return code;
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
        code = run(argc, argv, &handover, &inherited);
    }
    handover_done(&handover);
    inherit_done(&inherited);
    return code;
}
