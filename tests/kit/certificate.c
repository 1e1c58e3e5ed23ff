#include "kit/certificate.h"

#include <glib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "kit/kit.h"

enum { DAY_S = 24 * 3600 };

static FILE *file_of(const char *dir, const char *stem, const char *ending, const char *mode)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", dir, stem, ending);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static void extend(X509 *made, X509 *by, int what, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, by, made, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(made, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *unsigned_of(const struct certificate *wish, EVP_PKEY *key)
{
    X509 *made = X509_new();
    bool given = wish->from_s || wish->to_s;
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), (long)(g_str_hash(wish->stem) & 0x7fffffff) + 1);
    X509_gmtime_adj(X509_getm_notBefore(made), given ? wish->from_s : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(made), given ? wish->to_s : DAY_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC, (const unsigned char *)wish->stem, -1,
                               -1, 0);
    X509_set_pubkey(made, key);
    return made;
}

static void read_signer(const struct certificate *wish, X509 **ret, EVP_PKEY **ret_key)
{
    FILE *file = file_of(wish->dir, wish->signer, "crt", "r");
    *ret = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = file_of(wish->dir, wish->signer, "key", "r");
    *ret_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
}

static void sign(const struct certificate *wish, X509 *made, EVP_PKEY *key)
{
    X509 *by = made;
    EVP_PKEY *by_key = key;
    if (wish->signer)
        read_signer(wish, &by, &by_key);
    X509_set_issuer_name(made, X509_get_subject_name(by));
    extend(made, by, NID_basic_constraints, wish->signer ? "CA:FALSE" : "critical,CA:TRUE");
    if (wish->holds_for)
        extend(made, by, NID_subject_alt_name, wish->holds_for);
    assert_true(X509_sign(made, by_key, EVP_sha256()) > 0);
    if (wish->signer) {
        X509_free(by);
        EVP_PKEY_free(by_key);
    }
}

void certificate_make(const struct certificate *wish)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = unsigned_of(wish, key);
    sign(wish, made, key);
    FILE *file = file_of(wish->dir, wish->stem, "crt", "w");
    assert_int_equal(PEM_write_X509(file, made), 1);
    fclose(file);
    file = file_of(wish->dir, wish->stem, "key", "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(made);
    EVP_PKEY_free(key);
}
