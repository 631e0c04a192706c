#ifndef APUS_COPENSSL_SHIM_H
#define APUS_COPENSSL_SHIM_H
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros of OpenSSL that Swift cannot import, as functions.
static inline int apus_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}
static inline void apus_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    SSL_CTX_set_max_proto_version(context, version);
}
static inline void apus_SSL_CTX_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }
static inline void apus_SSL_CTX_disable_session_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline void apus_SSL_CTX_set_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }
static inline void apus_SSL_CTX_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *),
                                                        void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}
static inline STACK_OF(X509) *apus_SSL_CTX_get0_chain(SSL_CTX *context) {
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(context, &chain);
    return chain;
}
static inline void apus_X509_chain_free(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }
static inline int apus_SSL_set_server_name(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}
// Constants whose macros hold casts or shifts.
static const uint64_t SSL_OP_NO_RENEGOTIATION_BIT = SSL_OP_NO_RENEGOTIATION;
static const uint64_t SSL_OP_NO_COMPRESSION_BIT = SSL_OP_NO_COMPRESSION;
static const uint64_t SSL_OP_CIPHER_SERVER_PREFERENCE_BIT = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t SSL_OP_IGNORE_UNEXPECTED_EOF_BIT = SSL_OP_IGNORE_UNEXPECTED_EOF;
static const unsigned long XN_FLAG_RFC2253_BITS = XN_FLAG_RFC2253;
static const int MBSTRING_UTF8_KIND = MBSTRING_UTF8;
static inline void apus_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void apus_BIO_set_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline void apus_BIO_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
#endif
