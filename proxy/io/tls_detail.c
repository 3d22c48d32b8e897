/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words for what goes wrong. */
#include <wolfssl/options.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "io/tls_parts.h"

struct text {
    int code;
    const char *words;
};

/* RFC 8446 6.2, and RFC 5246 7.2.2 for those that only TLS 1.2 has. */
static const struct text alerts[] = {
    {10, "alert unexpected_message received"},
    {20, "alert bad_record_mac received"},
    {22, "alert record_overflow received"},
    {40, "alert handshake_failure received"},
    {42, "alert bad_certificate received"},
    {43, "alert unsupported_certificate received"},
    {44, "alert certificate_revoked received"},
    {45, "alert certificate_expired received"},
    {46, "alert certificate_unknown received"},
    {47, "alert illegal_parameter received"},
    {48, "alert unknown_ca received"},
    {49, "alert access_denied received"},
    {50, "alert decode_error received"},
    {51, "alert decrypt_error received"},
    {70, "alert protocol_version received"},
    {71, "alert insufficient_security received"},
    {80, "alert internal_error received"},
    {86, "alert inappropriate_fallback received"},
    {90, "alert user_canceled received"},
    {100, "alert no_renegotiation received"},
    {109, "alert missing_extension received"},
    {110, "alert unsupported_extension received"},
    {112, "alert unrecognized_name received"},
    {113, "alert bad_certificate_status_response received"},
    {115, "alert unknown_psk_identity received"},
    {116, "alert certificate_required received"},
    {120, "alert no_application_protocol received"},
};

/* Where wolfSSL's own words say too little, or something else for each kind of key. */
static const struct text errors[] = {
    {MEMORY_E, "out of memory"},
    {MEMORY_ERROR, "out of memory"},
    {VERIFY_CERT_ERROR, "key does not belong to the certificate"},
    {VERIFY_SIGN_ERROR, "key does not belong to the certificate"},
    {SIG_VERIFY_E, "key does not belong to the certificate"},
    {ASN_NO_SIGNER_E, "certificate is from an unknown CA"},
    {ASN_SELF_SIGNED_E, "certificate is from an unknown CA"},
    {ASN_SIG_CONFIRM_E, "certificate has a wrong signature"},
    {ASN_AFTER_DATE_E, "certificate has expired"},
    {ASN_BEFORE_DATE_E, "certificate is not valid yet"},
    {NO_PEER_CERT, "no certificate was shown"},
    {NO_PEER_VERIFY, "the certificate was not proven"},
    {ASN_PATHLEN_INV_E, "a CA of the certificate may not sign CAs (pathlen)"},
    {ASN_PATHLEN_SIZE_E, "a CA of the certificate may not sign CAs (pathlen)"},
    {ASN_NAME_INVALID_E, "certificate has a name that its CA may not sign (nameConstraints)"},
    {NOT_CA_ERROR, "a certificate of the chain may not sign others (basicConstraints, keyUsage)"},
    {ASN_VERSION_E, "certificate is not of version 3"},
    {KEYUSE_SIGNATURE_E,
     "certificate may not sign handshakes (its keyUsage lacks digitalSignature)"},
    {EXTKEYUSE_AUTH_E, "certificate is for another use (extendedKeyUsage)"},
    {RSA_KEY_SIZE_E, "certificate has an RSA key that is too short"},
    {ECC_KEY_SIZE_E, "certificate has a key that is too short"},
    {MAX_CHAIN_ERROR, "more than 20 certificates"},
    {HANDSHAKE_SIZE_ERROR, "certificates of more than 100 KiB"},
    {ASN_PARSE_E, "certificate is damaged"},
    {OUT_OF_ORDER_E, "handshake messages in a wrong order"},
    {VERSION_ERROR, "no common TLS version"},
    {MATCH_SUITE_ERROR, "no common cipher suite"},
    {UNSUPPORTED_SUITE, "no common cipher suite"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *find(const struct text *texts, size_t count, int code)
{
    for (size_t i = 0; i < count; i++) {
        if (texts[i].code == code) {
            return texts[i].words;
        }
    }
    return NULL;
}

/* A client that was shown the first certificate because none is for the name it asked for. */
static const struct text alerts_name_unknown[] = {
    {42, "alert bad_certificate received: no certificate is for the client's SNI"},
    {46, "alert certificate_unknown received: no certificate is for the client's SNI"},
    {48, "alert unknown_ca received: no certificate is for the client's SNI"},
};

static const char *words_for_alert(const struct tls *tls, int code)
{
    const char *words = NULL;
    if (tls->is_name_unknown) {
        words = find(alerts_name_unknown, COUNT(alerts_name_unknown), code);
    }
    return words != NULL ? words : find(alerts, COUNT(alerts), code);
}

const char *tls_detail_of(const struct tls *tls, int error)
{
    const char *words = find(errors, COUNT(errors), error);
    WOLFSSL_ALERT_HISTORY history;
    if (tls->alert != 0) {
        words = words_for_alert(tls, tls->alert);
    } else if (error == FATAL_ERROR &&
               wolfSSL_get_alert_history(tls->ssl, &history) == WOLFSSL_SUCCESS) {
        words = words_for_alert(tls, history.last_rx.code);
    }
    if (words == NULL) {
        words = wolfSSL_ERR_reason_error_string((unsigned long)-(long)error);
    }
    return words != NULL ? words : "TLS failed";
}
