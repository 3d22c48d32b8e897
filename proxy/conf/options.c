/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conf/options.h"

#include <getopt.h>

const char options_usage[] =
    "usage: sluice [-c FILE] [--check] [--print-config]\n"
    "       sluice --to HOST:PORT [--listen ADDR:PORT] [--files DIR] [--origins LIST]\n"
    "              [--certificate FILE --key FILE | --plain] [--check] [--print-config]\n"
    "       sluice --demo [--listen ADDR:PORT]\n"
    "       sluice --health [-c FILE]\n"
    "       sluice --keys | --version | --help\n"
    "\n"
    "sluice is a gateway between browser pages (WebSocket, wss://) and TCP services.\n"
    "\n"
    "  -c, --config FILE   read this configuration; default " OPTIONS_DEFAULT_CONFIG "\n"
    "      --check         load everything, certificates too, print every error, and exit\n"
    "      --print-config  print the configuration in force, defaults included, and exit\n"
    "      --health        ask [health] or [admin] of a running sluice; 0 = it takes sessions\n"
    "      --keys          print every key of a configuration, as rows of a Markdown table\n"
    "      --version       print the versions of sluice and wolfSSL\n"
    "  -h, --help          print this text\n"
    "\n"
    "without a configuration file:\n"
    "      --to HOST:PORT  serve this service at /websockify and /; also [ADDRESS]:PORT,\n"
    "                      unix:/PATH, tls://HOST:PORT; several, separated by commas\n"
    "      --listen A:P    listen there; default port 6080 of 127.0.0.1 and ::1 (--demo: 8443)\n"
    "      --files DIR     serve the files of this directory too, such as /usr/share/novnc\n"
    "      --origins LIST  pages that may connect; default same: those of this host and port\n"
    "      --certificate FILE, --key FILE\n"
    "                      PEM files; without them sluice makes a certificate for this run\n"
    "      --plain         ws:// and http://, on loopback addresses only\n"
    "      --demo          serve echo routes and a demo page, with a certificate for this run\n"
    "\n"
    "exit codes: 0 done, 1 bad configuration or not ready, 2 bad usage, 3 cannot start\n"
    "signals: SIGHUP reloads, SIGTERM and SIGINT drain and stop, SIGQUIT stops at once,\n"
    "         SIGUSR2 upgrades: the program at the same path takes over\n";

/* What is written. */
struct written {
    bool has_config;
    bool has_task;
    bool has_check;
    bool has_print;
    bool is_twofold; /* two tasks that exclude each other */
};

enum option_code {
    OPT_CHECK = 256,
    OPT_PRINT,
    OPT_DEMO,
    OPT_HEALTH,
    OPT_KEYS,
    OPT_VERSION,
    OPT_TO,
    OPT_LISTEN,
    OPT_FILES,
    OPT_ORIGINS,
    OPT_CERTIFICATE,
    OPT_KEY,
    OPT_PLAIN
};

static const struct option longs[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, OPT_CHECK},
    {"print-config", no_argument, NULL, OPT_PRINT},
    {"demo", no_argument, NULL, OPT_DEMO},
    {"health", no_argument, NULL, OPT_HEALTH},
    {"keys", no_argument, NULL, OPT_KEYS},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
    {"to", required_argument, NULL, OPT_TO},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"files", required_argument, NULL, OPT_FILES},
    {"origins", required_argument, NULL, OPT_ORIGINS},
    {"certificate", required_argument, NULL, OPT_CERTIFICATE},
    {"key", required_argument, NULL, OPT_KEY},
    {"plain", no_argument, NULL, OPT_PLAIN},
    {NULL, 0, NULL, 0},
};

static void take_task(struct options *out, struct written *written, enum options_task task)
{
    written->is_twofold |= written->has_task && out->task != task;
    written->has_task = true;
    out->task = task;
}

/* The options that ask for something else than to serve. */
static bool take_asking(int option, struct options *out, struct written *written)
{
    switch (option) {
    case OPT_CHECK:
        written->has_check = true;
        return true;
    case OPT_PRINT:
        written->has_print = true;
        return true;
    case OPT_HEALTH:
        take_task(out, written, OPTIONS_HEALTH);
        return true;
    case OPT_KEYS:
        take_task(out, written, OPTIONS_KEYS);
        return true;
    case OPT_VERSION:
        take_task(out, written, OPTIONS_VERSION);
        return true;
    case 'h':
        take_task(out, written, OPTIONS_HELP);
        return true;
    default:
        return false;
    }
}

static bool take_value(int option, struct options *out, struct written *written)
{
    switch (option) {
    case 'c':
        out->config_path = optarg;
        written->has_config = true;
        return true;
    case OPT_DEMO:
        out->is_demo = true;
        return true;
    case OPT_TO:
        out->is_to = true;
        out->to.target = optarg;
        return true;
    case OPT_LISTEN:
        out->to.listen = optarg;
        return true;
    case OPT_FILES:
        out->to.files = optarg;
        return true;
    case OPT_ORIGINS:
        out->to.origins = optarg;
        return true;
    case OPT_CERTIFICATE:
        out->to.certificate = optarg;
        return true;
    case OPT_KEY:
        out->to.key = optarg;
        return true;
    case OPT_PLAIN:
        out->to.is_plain = true;
        return true;
    default:
        return false;
    }
}

/* NULL: the options go together. */
static const char *fault_of(const struct options *options, const struct written *written)
{
    const struct to_options *to = &options->to;

    if (options->is_to && written->has_config) {
        return "--to makes a configuration of its own: leave out -c";
    }
    if (options->is_to && options->is_demo) {
        return "--to and --demo exclude each other";
    }
    if (to->listen != NULL && !options->is_demo && !options->is_to) {
        return "--listen goes with --to or --demo";
    }
    if (!options->is_to && (to->files != NULL || to->origins != NULL || to->certificate != NULL ||
                            to->key != NULL || to->is_plain)) {
        return "--files, --origins, --certificate, --key and --plain go with --to";
    }
    if ((to->certificate != NULL) != (to->key != NULL)) {
        return "--certificate and --key belong together";
    }
    if (to->is_plain && to->certificate != NULL) {
        return "--plain and --certificate exclude each other";
    }
    if (options->is_demo && written->has_config) {
        return "--demo has a configuration of its own: leave out -c";
    }
    if (options->task == OPTIONS_HEALTH &&
        (options->is_demo || options->is_to || written->has_check || written->has_print)) {
        return "--health asks, and does nothing else";
    }
    return NULL;
}

bool options_read(int argc, char **argv, struct options *out, const char **out_fault)
{
    struct written written = {.has_task = false};
    int option;

    *out = (struct options){.config_path = OPTIONS_DEFAULT_CONFIG};
    *out_fault = NULL;
    optind = 0; /* begin anew, whatever was read before */
    while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
        if (!take_asking(option, out, &written) && !take_value(option, out, &written)) {
            return false;
        }
        if (out->task == OPTIONS_HELP || out->task == OPTIONS_VERSION) {
            return true; /* whatever follows */
        }
    }
    if (optind < argc) {
        *out_fault = "unexpected argument";
        return false;
    }
    if (written.is_twofold) {
        *out_fault = "--health, --keys, --version and --help exclude each other";
        return false;
    }
    *out_fault = fault_of(out, &written);
    if (!written.has_task && written.has_print) {
        out->task = OPTIONS_PRINT_CONFIG;
    } else if (!written.has_task && written.has_check) {
        out->task = OPTIONS_CHECK;
    }
    return *out_fault == NULL;
}
