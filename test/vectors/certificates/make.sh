#!/bin/sh
# Makes the certificates of this folder again, all but example-org.pem, with OpenSSL 3.0. Keys and serial numbers are new
# each time, so the tests expect facts of them and no fingerprints. The private keys are thrown away.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/openssl.cnf" <<'CONFIG'
[req]
distinguished_name = none
[none]
[names]
subjectAltName = DNS:example.org, DNS:*.Example.org, IP:192.0.2.1, IP:2001:db8::1, email:mail@example.org, \
  URI:gemini://example.org/, otherName:1.2.3.4;UTF8:other, dirName:directory, RID:1.2.3
[directory]
CN = elsewhere.example
[authority]
basicConstraints = critical, CA:TRUE, pathlen:3
keyUsage = critical, keyCertSign, cRLSign, decipherOnly
extendedKeyUsage = serverAuth, clientAuth, 1.2.3.4
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[request]
subjectAltName = DNS:example.org
[ca]
default_ca = forever
[forever]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
CONFIG

# key NAME ARGUMENTS...: a private key
key() { name=$1; shift; openssl genpkey -out "$work/$name.key" "$@" 2>/dev/null; }
# self NAME KEY ARGUMENTS...: a self-signed certificate of version 3
self() {
  name=$1; key=$2; shift 2
  openssl req -x509 -new -config "$work/openssl.cnf" -key "$work/$key.key" -days 36500 -out "$name.pem" "$@"
}
# host NAME KEY ARGUMENTS...: the same with CN and SAN example.org
host() { self "$@" -subj /CN=example.org -addext subjectAltName=DNS:example.org; }

key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
key p224 -algorithm EC -pkeyopt ec_paramgen_curve:P-224
key secp256k1 -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
key brainpool -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1
key unknown-curve -algorithm EC -pkeyopt ec_paramgen_curve:sect283k1
key explicit -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit
key ed25519 -algorithm ED25519
key ed448 -algorithm ED448
key rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
key pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
openssl dsaparam -genkey -noout -out "$work/dsa.key" 2048 2>/dev/null
openssl ec -in "$work/p256.key" -conv_form compressed -out "$work/compressed.key" 2>/dev/null

# Every kind of key and signature.
host p256 p256
host p384 p384 -sha384
host p521 p521 -sha512
host p224 p224
host secp256k1 secp256k1
host brainpool-p256r1 brainpool
host unknown-curve unknown-curve
host explicit-curve explicit
host compressed-point compressed
host ed25519 ed25519
host ed448 ed448
host rsa2048 rsa2048
host rsa1024 rsa1024
host rsa-sha1 rsa2048 -sha1
host rsa-md5 rsa2048 -md5
host rsa-pss-signature rsa2048 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32
host rsa-pss-sha1-signature rsa2048 -sha1 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20
host rsa-pss-key pss -sha512
host dsa dsa

# Odd and legal.
openssl req -new -config "$work/openssl.cnf" -key "$work/p256.key" -subj /CN=example.org -out request.pem
openssl x509 -req -in request.pem -signkey "$work/p256.key" -days 36500 -out version-1.pem 2>/dev/null
host negative-serial p256 -set_serial -128
host zero-serial p256 -set_serial 0
host serial-of-40-octets p256 -set_serial "0x7$(printf 'f%.0s' $(seq 79))"
host unknown-critical p256 -addext 1.3.6.1.4.1.99999.1=critical,ASN1:UTF8String:hello
self empty-subject p256 -subj /
self names p256 -subj /CN=example.org -extensions names
self authority p256 -subj /CN=authority -extensions authority
self misfin p256 -utf8 -subj '/CN=Mary Shelley/UID=mary' -addext subjectAltName=DNS:example.org
self odd-subject p256 -utf8 -multivalue-rdn -subj '/C=MX/O=a, "b" \+ c\\d; <e>/OU= ends with a space /CN=Bücher+UID=#1'
(
  cd "$work"
  touch index.txt
  echo 01 > serial
  openssl ca -config openssl.cnf -batch -selfsign -keyfile p256.key -in "$OLDPWD/request.pem" -notext \
    -startdate 19500101000000Z -enddate 99991231235959Z -extfile openssl.cnf -extensions request -out year-9999.pem \
    2>/dev/null
)
cp "$work/year-9999.pem" year-9999.pem
