// The three requests that end in a signature. What costs least is looked at first.

import type { Peer } from '../../certificate/peer.ts'
import type { ClientAddress } from '../../names/client-address.ts'
import type { CertificateAuthority } from '../certificate-authority.ts'
import type { IssuedCertificate } from '../hooks.ts'
import type { AuthorityLimiter } from '../limiter.ts'
import { requestInput, typeProblem } from './media-type.ts'
import { type Answer, COMMON_HEADERS, refused } from './problem.ts'
import { type BodyLimits, readBody } from './read-body.ts'
import {
  BODY_PROBLEMS,
  limitProblem,
  mediaTypeProblem,
  NO_CERTIFICATE,
  NOT_A_REQUEST,
  NOTHING_EXPECTED,
  OTHER_SITE,
} from './refusals.ts'
import type { SigningRoute } from './routes.ts'

export interface SigningSettings {
  readonly authority: CertificateAuthority
  readonly profile: string | undefined
  readonly body: BodyLimits
  readonly limiter: AuthorityLimiter
}

/** A request, and what is known of the client beside it. */
export interface SigningCall {
  readonly request: Request
  readonly address: ClientAddress | null
  readonly peer: Peer | null
}

/** Answers `PUT /api/csr/…`, `POST /renew` and `POST /rekey`. Throws what the limiter and the authority throw. */
export async function answerSigning(
  route: SigningRoute,
  call: SigningCall,
  settings: SigningSettings,
): Promise<Answer> {
  const { request, address, peer } = call
  const { kind, path, clientHash } = route
  if (isOfAnotherSite(request.headers)) return refused(OTHER_SITE)
  if (kind !== 'sign' && peer === null) return refused(NO_CERTIFICATE)

  const limit = await settings.limiter.take({ action: kind, path, address, clientHash, peer })
  if (limit?.allowed !== true) return refused(limitProblem(limit))

  const wrongType = kind === 'renew' ? null : typeProblem(request.headers)
  if (wrongType !== null) return refused(mediaTypeProblem(wrongType))

  const body = await readBody(request, settings.body)
  if (body.kind !== 'body') return refused(BODY_PROBLEMS[body.kind], body.kind === 'broken' ? body.cause : undefined)
  return kind === 'renew' ? renew(body.bytes, call, settings) : signBody(route, body.bytes, call, settings)
}

async function renew(body: Uint8Array, { peer }: SigningCall, { authority }: SigningSettings): Promise<Answer> {
  // Whoever sends a request here wants a certificate for its key, and must not get one for the old key.
  if (body.length > 0) return refused(NOTHING_EXPECTED)
  /* v8 ignore if -- @preserve whoever shows no certificate was refused before; the compiler cannot know */
  if (peer === null) return refused(NO_CERTIFICATE)
  return issuedAnswer(await authority.renew({ current: peer }))
}

async function signBody(
  { clientHash }: SigningRoute,
  body: Uint8Array,
  { address, peer }: SigningCall,
  { authority, profile }: SigningSettings,
): Promise<Answer> {
  const request = requestInput(body)
  if (request === null) return refused(NOT_A_REQUEST)
  if (clientHash === null) {
    return peer === null ? refused(NO_CERTIFICATE) : issuedAnswer(await authority.renew({ current: peer, request }))
  }
  const requester = { ...(peer === null ? {} : { peer }), ...(address === null ? {} : { address: String(address) }) }
  const named = profile === undefined ? {} : { profile }
  return issuedAnswer(await authority.sign({ request, clientHash, requester, ...named }))
}

/** `signed_x509_pem` is what clients of ssl_api read. */
function issuedAnswer(issued: IssuedCertificate): Answer {
  const { certificate, certificatePem, chainPem, serialNumber, renewAfter } = issued
  const body = {
    signed_x509_pem: certificatePem,
    chain_pem: chainPem,
    serial: serialNumber,
    not_after: certificate.notAfter.toISOString(),
    renew_after: renewAfter.toISOString(),
  }
  const headers = { ...COMMON_HEADERS, 'content-type': 'application/json' }
  return { response: new Response(JSON.stringify(body), { headers }), serialNumber }
}

/**
 * A browser shows the certificate of its user wherever a page sends it. All current ones say where a request comes from,
 * and older ones at least that it comes from a page; other clients say nothing of the kind.
 */
function isOfAnotherSite(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site')
  return site === null ? headers.has('origin') : site !== 'same-origin' && site !== 'none'
}
