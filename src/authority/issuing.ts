// The last steps of a signature, in the order that loses nothing: what is about to be signed is written down, committed,
// and only then signed. So whatever happens in between, no certificate exists that the store does not know.
//
//     signed part -> row in the store, on the disk -> signature -> verified -> row has the certificate -> handed out

import { createHash, type KeyObject, verify } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import {
  algorithmIdentifier,
  type CertificateBuilder,
  loadCertificateBuilder,
} from '../certificate/certificate-builder.ts'
import { comparableName } from '../certificate/distinguished-name.ts'
import type { CertificateExtension } from '../certificate/extensions.ts'
import { subjectKey } from '../certificate/issuance.ts'
import { readSignatureAlgorithm } from '../certificate/signature-algorithm.ts'
import { type Signer, signerFor } from '../certificate/signing.ts'
import { AuthorityError } from '../errors.ts'
import type { CheckedDraft } from './draft.ts'
import type { ReadProfile } from './profile.ts'

/** Whose key signs. */
export interface Issuer {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

/** Something that is ready to be signed. */
export interface ReadyToSign {
  readonly signedPart: Uint8Array
  /** SHA-256 of it, in hex. */
  readonly tbsSha256: string
}

/** Signs what was checked. What is the same for all certificates of an authority, or of a profile, is encoded once. */
export class IssuingKey {
  readonly #issuer: Issuer
  readonly #builder: CertificateBuilder
  readonly #signer: Signer
  readonly #hash: string | null
  readonly #publicKey: KeyObject
  readonly #issuerName: Uint8Array
  readonly #comparableName: string
  readonly #authorityKeyIdentifier: CertificateExtension
  /** Extensions that many certificates have in common, by what they say. */
  readonly #common = new Map<string, CertificateExtension>()

  private constructor(issuer: Issuer, builder: CertificateBuilder) {
    const { certificate, privateKey } = issuer
    this.#issuer = issuer
    this.#builder = builder
    this.#signer = signerFor(privateKey, certificate.subjectPublicKeyInfo)
    this.#hash = readSignatureAlgorithm(algorithmIdentifier(this.#signer)).hash
    this.#publicKey = certificate.publicKey()
    this.#issuerName = certificate.subjectDer
    this.#comparableName = subjectKey(certificate)
    this.#authorityKeyIdentifier = builder.extensions.authorityKeyIdentifier(certificate)
  }

  static async load(issuer: Issuer): Promise<IssuingKey> {
    return new IssuingKey(issuer, await loadCertificateBuilder())
  }

  get certificate(): Certificate {
    return this.#issuer.certificate
  }

  /** @param pathLength - For an authority below this one. */
  prepare(
    draft: CheckedDraft,
    {
      serialNumber,
      spki,
      profile,
      pathLength,
    }: {
      readonly serialNumber: string
      readonly spki: Uint8Array
      readonly profile: ReadProfile
      readonly pathLength?: number
    },
  ): ReadyToSign {
    const subject = this.#builder.name(draft.subject)
    // It would count as self-issued, and paths have other rules for those (RFC 5280 section 6.1).
    if (comparableName(subject, 'the subject') === this.#comparableName) {
      const message = 'the certificate cannot be signed: subject: it is the name of the authority itself'
      throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_POLICY', message, { field: 'subject' })
    }
    const signedPart = this.#builder.signedPart(
      {
        serialNumber,
        issuer: this.#issuerName,
        subject,
        validity: { notBefore: draft.notBefore, notAfter: draft.notAfter },
        spki,
        extensions: this.#extensions(draft, spki, profile, pathLength),
      },
      this.#signer,
    )
    return { signedPart, tbsSha256: sha256(signedPart) }
  }

  /**
   * Signs, and looks whether it came out right before anybody sees it: a fault in an RSA signature gives the key away.
   *
   * @throws {AuthorityError} AUTHORITY_SIGNATURE_WRONG
   */
  async sign({ signedPart, tbsSha256 }: ReadyToSign): Promise<Certificate> {
    const signature = await this.#signer.sign(signedPart)
    const certificate = this.#builder.assemble(signedPart, this.#signer, signature)
    const isSound =
      verify(this.#hash, signedPart, this.#publicKey, signature) && sha256(certificate.tbsDer) === tbsSha256
    if (isSound) return certificate
    throw new AuthorityError(
      'ERR_TLACACOCA_AUTHORITY_SIGNATURE_WRONG',
      'a certificate was signed wrongly, and was not handed out; check the memory of the machine, and that the key is that of the authority',
    )
  }

  #extensions(
    draft: CheckedDraft,
    spki: Uint8Array,
    { isAuthority }: ReadProfile,
    pathLength: number | undefined,
  ): CertificateExtension[] {
    const make = this.#builder.extensions
    const { keyUsage, extendedKeyUsage, subjectAltNames, crlUrls, issuerUrls } = draft
    const isNameless = draft.subject.length === 0
    return [
      this.#once(`basicConstraints ${isAuthority} ${pathLength}`, () =>
        make.basicConstraints({ ca: isAuthority, ...(pathLength === undefined ? {} : { pathLength }) }),
      ),
      this.#once(`keyUsage ${keyUsage}`, () => make.keyUsage(keyUsage)),
      ...(extendedKeyUsage.length === 0
        ? []
        : [this.#once(`extendedKeyUsage ${extendedKeyUsage}`, () => make.extendedKeyUsage(extendedKeyUsage))]),
      ...(Object.values(subjectAltNames).some((list) => list.length > 0)
        ? [make.subjectAltName(subjectAltNames, { critical: isNameless })]
        : []),
      make.subjectKeyIdentifier(spki),
      this.#authorityKeyIdentifier,
      ...(crlUrls.length === 0
        ? []
        : [this.#once(`crl ${JSON.stringify(crlUrls)}`, () => make.crlDistributionPoints(crlUrls))]),
      ...(issuerUrls.length === 0
        ? []
        : [
            this.#once(`issuers ${JSON.stringify(issuerUrls)}`, () =>
              make.authorityInformationAccess({ issuers: issuerUrls }),
            ),
          ]),
      ...draft.extensions,
    ]
  }

  #once(what: string, make: () => CertificateExtension): CertificateExtension {
    let extension = this.#common.get(what)
    if (extension === undefined) {
      extension = make()
      // A hook may put something else into each certificate.
      if (this.#common.size >= MAX_COMMON) this.#common.clear()
      this.#common.set(what, extension)
    }
    return extension
  }
}

const MAX_COMMON = 64

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
