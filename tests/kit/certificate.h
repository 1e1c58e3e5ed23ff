/* Certificates for one test, made on the spot: PEM files DIR/STEM.crt and DIR/STEM.key. */
#pragma once

#include <stdint.h>

struct certificate {
    const char *dir, *stem;
    const char *signer;    /* the stem of who signs it; NULL: itself, a CA */
    const char *holds_for; /* "DNS:db.example", "IP:127.0.0.1"; NULL: nobody */
    long from_s, to_s;     /* valid, relative to now; 0, 0: from yesterday to tomorrow */
};

void certificate_make(const struct certificate *certificate);
