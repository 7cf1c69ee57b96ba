import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import type { Authorization } from '../../src/authority/hooks.ts'
import { type AuthorityHandlerOptions, createAuthorityHandler } from '../../src/authority/http/handler.ts'
import { type AuthorityLimiter, MemoryAuthorityLimiter, type SigningAttempt } from '../../src/authority/limiter.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { Certificate } from '../../src/certificate/certificate.ts'
import { parseCertificates } from '../../src/certificate/load.ts'
import { CsrNotAuthedError, StoreError } from '../../src/errors.ts'
import { hostileRequests } from '../support/hostile-requests.ts'
import { fakePeer } from '../support/peer.ts'
import { granted, newRequest, problem, testAuthority, testSite } from './http/support.ts'

const PEM = { 'content-type': 'application/x-pem-file' }

describe('PUT /api/csr/<clientHash>', () => {
  it('answers what clients of ssl_api read, and more', async () => {
    const { put, authority } = await testSite()
    const request = await newRequest()
    const response = await put(request.pem)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('no-store')

    const answer = await granted(response)
    expect(Object.keys(answer)).toEqual(['signed_x509_pem', 'chain_pem', 'serial', 'not_after', 'renew_after'])
    const certificate = Certificate.from(answer.signed_x509_pem)
    expect(certificate.issuerDer).toEqual(authority.certificate.subjectDer)
    expect(answer.serial).toBe(certificate.serialNumber)
    expect(answer.not_after).toBe(certificate.notAfter.toISOString())
    expect(Date.parse(answer.renew_after)).toBeLessThan(Date.parse(answer.not_after))
    expect(parseCertificates(answer.chain_pem).map(({ fingerprint }) => fingerprint)).toEqual([
      certificate.fingerprint,
      authority.certificate.fingerprint,
    ])
  })

  it('issues what the store knows, for the client that the path names', async () => {
    const { put, authority } = await testSite()
    const { serial } = await granted(await put((await newRequest()).pem))
    expect(await authority.get(serial)).toMatchObject({ status: 'issued', clientHash: 'f00d' })
  })

  it('shows the hooks the client hash, and takes nothing from the request but its key', async () => {
    const seen: unknown[] = []
    const authorize = (hooks: { readonly clientHash: string | null }): Authorization => {
      seen.push(hooks.clientHash)
      return { allow: true, subject: [['CN', 'Ana']] }
    }
    const { ask } = await testSite({ authorize })
    const { pem } = await newRequest()
    const answer = await granted(await ask('PUT', '/api/csr/Abc123', { headers: PEM, body: pem }))
    expect(seen).toEqual(['Abc123'])
    expect(String(Certificate.from(answer.signed_x509_pem).subject)).toBe('CN=Ana')
  })

  it.each([
    'application/x-pem-file',
    'application/pkcs10',
    'application/pem-certificate-request',
    'Application/X-PEM-File; charset=utf-8',
  ])('takes %s, as PEM and as DER', async (type) => {
    const { put } = await testSite()
    const request = await newRequest()
    const headers = { 'content-type': type }
    const first = await granted(await put(request.pem, { headers }))
    // The same request again: the same certificate, whatever the client has lost.
    expect(await granted(await put(request.der, { headers }))).toEqual(first)
  })

  it('gives one certificate to a client that sends the same request many times at once', async () => {
    const { put, authority } = await testSite()
    const { pem } = await newRequest()
    const answers = await Promise.all(Array.from({ length: 8 }, () => put(pem)))
    // Whoever comes while it is being signed is told to ask again.
    const told = answers.map(({ status, headers }) => [status, headers.get('retry-after')].join(' '))
    expect(told.filter((each) => each !== '200 ' && each !== '503 1')).toEqual([])
    const again = await granted(await put(pem))
    for (const response of answers) if (response.status === 200) expect(await granted(response)).toEqual(again)
    const rows: string[] = []
    for await (const row of authority.list()) rows.push(row.serial)
    expect(rows).toEqual([again.serial])
  })

  it.each([
    ['none at all', {}],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', { 'content-type': 'text/plain' }],
    ['one that only begins like it', { 'content-type': 'application/x-pem-files' }],
    ['two', { 'content-type': 'application/x-pem-file, text/plain' }],
  ])('refuses a body whose type is %s, and says what would do', async (_what, headers) => {
    const { put } = await testSite()
    const body = new TextEncoder().encode((await newRequest()).pem)
    const response = await put(body, { headers })
    expect(response.headers.get('accept')).toContain('application/x-pem-file')
    const { httpStatus, detail } = await problem(response)
    expect(httpStatus).toBe(415)
    expect(detail).toContain('curl -H "Content-Type: application/x-pem-file" --upload-file')
  })

  it.each(['gzip', 'br', 'identity, gzip'])('refuses a body that is compressed by %s', async (encoding) => {
    const { put } = await testSite()
    const body = gzipSync((await newRequest()).pem)
    expect(await problem(await put(body, { headers: { ...PEM, 'content-encoding': encoding } }))).toMatchObject({
      httpStatus: 415,
      code: 'media_type',
    })
  })

  it.each([
    ['nothing', '', 400, 'ERR_TLACACOCA_CSR_MALFORMED'],
    ['something else', 'hello', 400, 'ERR_TLACACOCA_CSR_MALFORMED'],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe), 400, 'ERR_TLACACOCA_CSR_MALFORMED'],
    ['a form with a request in it', 'csr=-----BEGIN', 400, 'ERR_TLACACOCA_CSR_MALFORMED'],
    ['half of a DER', Uint8Array.of(0x30, 0x82, 0x01, 0x00), 400, 'ERR_TLACACOCA_CSR_MALFORMED'],
    ['more than 32 KiB', 'x'.repeat(32_769), 413, 'too_large'],
  ])('refuses %s', async (_what, body, httpStatus, code) => {
    const { put } = await testSite()
    expect(await problem(await put(body))).toMatchObject({ httpStatus, status: httpStatus, code })
  })

  it('says what is wrong with a request', async () => {
    const { put, events } = await testSite()
    const { detail } = await problem(await put('-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n'))
    expect(events).toMatchObject([{ error: { code: 'ERR_TLACACOCA_CSR_MALFORMED', message: detail } }])
  })

  it('refuses two requests, a certificate, and a request with its key', async () => {
    const { put, authority } = await testSite()
    const { pem, keyPem } = await newRequest()
    for (const body of [pem + pem, authority.certificate.toPem(), pem + keyPem]) {
      expect(await problem(await put(body))).toMatchObject({ httpStatus: 400, code: 'ERR_TLACACOCA_CSR_MALFORMED' })
    }
  })

  it('refuses the key of the authority itself', async () => {
    const { put, folder } = await testSite()
    const { readFile } = await import('node:fs/promises')
    const response = await put(await readFile(`${folder}/ca.csr.pem`, 'utf8'))
    expect(response.status).toBe(422)
  })

  it('gives up on a body that does not come', async () => {
    const { put } = await testSite({}, { bodyTimeoutMs: 5 })
    const body = new ReadableStream({ pull: () => new Promise<void>(() => {}) })
    const response = await put(body as unknown as string, { duplex: 'half' } as RequestInit)
    expect(await problem(response)).toMatchObject({ httpStatus: 408, code: 'timeout' })
  })
})

describe('what clients may say no to', () => {
  const SECRET = '/var/lib/customers.db: password=hunter2'

  it.each<[string, () => Authorization | Promise<Authorization>]>([
    ['throws CsrNotAuthedError', () => Promise.reject(new CsrNotAuthedError(SECRET))],
    [
      'throws it without waiting',
      () => {
        throw new CsrNotAuthedError(SECRET)
      },
    ],
    ['decides nothing', () => undefined],
    ['answers true', () => true as unknown as Authorization],
    ['answers no', () => ({ allow: false }) as unknown as Authorization],
    ['answers nothing', () => null as unknown as Authorization],
    ['answers yes as a text', () => ({ allow: 'yes' }) as unknown as Authorization],
  ])('is 403 and nothing more if authorize %s', async (_what, authorize) => {
    const { put, events, authority } = await testSite({ authorize })
    const response = await put((await newRequest()).pem)
    const text = await response.clone().text()
    expect(text).not.toContain('hunter2')
    expect(text).not.toContain('/var')
    expect(await problem(response)).toMatchObject({ httpStatus: 403, code: 'ERR_TLACACOCA_CSR_NOT_AUTHORIZED' })
    expect(events).toMatchObject([{ status: 403, code: 'ERR_TLACACOCA_CSR_NOT_AUTHORIZED', serialNumber: null }])
    for await (const row of authority.list()) throw new Error(`issued ${row.serial}`)
  })

  it.each<[string, () => Authorization | Promise<Authorization>]>([
    ['fails', () => Promise.reject(new Error(SECRET))],
    [
      'throws something that is no error',
      () => {
        throw SECRET
      },
    ],
  ])('is 500 and nothing more if authorize %s', async (_what, authorize) => {
    const { put, authority } = await testSite({ authorize })
    const response = await put((await newRequest()).pem)
    expect(await response.clone().text()).not.toContain('hunter2')
    expect(await problem(response)).toMatchObject({ httpStatus: 500, code: 'internal_error' })
    for await (const row of authority.list()) throw new Error(`issued ${row.serial}`)
  })

  it('is 422 if the profile does not allow what the hook wants', async () => {
    const { put } = await testSite({ authorize: () => ({ allow: true, validity: '50y' }) })
    expect(await problem(await put((await newRequest()).pem))).toMatchObject({
      httpStatus: 422,
      code: 'ERR_TLACACOCA_AUTHORITY_POLICY',
    })
  })

  it('is 500 if presign fails, and says nothing of why', async () => {
    const { put, events } = await testSite({ presign: () => Promise.reject(new Error(SECRET)) })
    const response = await put((await newRequest()).pem)
    expect(await response.clone().text()).not.toContain('hunter2')
    expect(await problem(response)).toMatchObject({ httpStatus: 500, code: 'internal_error' })
    expect(events[0]?.error).toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED' })
  })

  it('gives out the certificate all the same if postsign fails, since it is stored', async () => {
    const { put } = await testSite({ postsign: () => Promise.reject(new Error(SECRET)) })
    await granted(await put((await newRequest()).pem))
  })

  it('is 500 if postsign fails and there is no store', async () => {
    const hooks = { postsign: () => Promise.reject(new Error(SECRET)) }
    const { put } = await testSite(hooks, {}, { store: 'none' })
    const response = await put((await newRequest()).pem)
    expect(await response.clone().text()).not.toContain('hunter2')
    expect(await problem(response)).toMatchObject({ httpStatus: 500 })
  })

  it.each([
    ['STORE_LOCKED', '5'],
    ['STORE_FULL', null],
    ['STORE_FAILED', null],
  ] as const)('is 503 if the store cannot write it down (%s), and says nothing of why', async (code, retryAfter) => {
    class Failing extends MemoryIssuedStore {
      override begin(): never {
        throw new StoreError(`ERR_TLACACOCA_${code}`, SECRET)
      }
    }
    const { put, events } = await testSite({}, {}, { store: new Failing() })
    const response = await put((await newRequest()).pem)
    expect(response.headers.get('retry-after')).toBe(retryAfter)
    const detail = 'Certificates cannot be recorded at present.'
    const told = await problem(response)
    expect(told).toMatchObject({ httpStatus: 503, code: 'unavailable', detail })
    expect(JSON.stringify(told)).not.toContain('hunter2')
    expect(events).toMatchObject([{ status: 503, error: { code: `ERR_TLACACOCA_${code}` } }])
  })

  it('is 503 once the authority is closed', async () => {
    const { put, authority } = await testSite()
    await authority.close()
    expect(await problem(await put((await newRequest()).pem))).toMatchObject({ httpStatus: 503 })
  })
})

describe('hostile requests over HTTP', () => {
  const statuses: Readonly<Record<string, number>> = {
    ERR_TLACACOCA_CSR_MALFORMED: 400,
    ERR_TLACACOCA_CSR_UNPROVEN: 400,
    ERR_TLACACOCA_CSR_TOO_LARGE: 413,
    ERR_TLACACOCA_CSR_KEY_REFUSED: 422,
  }

  it('refuses each, and what only asks for too much gets none of it', async () => {
    const { put, authority } = await testSite()
    const outcomes: unknown[] = []
    const expected: unknown[] = []
    for (const { name, der, code, trace } of hostileRequests) {
      const response = await put(der, { headers: { 'content-type': 'application/pkcs10' } })
      const body = (await response.json()) as { code?: string; signed_x509_pem?: string }
      const { signed_x509_pem: pem } = body
      const carried =
        pem !== undefined && trace !== undefined && Buffer.from(Certificate.from(pem).der).includes(Buffer.from(trace))
      outcomes.push([name, response.status, body.code ?? null, carried])
      const tooLarge = der.length > 32_768
      expected.push(
        code === null
          ? [name, 200, null, false]
          : [name, tooLarge ? 413 : statuses[code], tooLarge ? 'too_large' : code, false],
      )
    }
    expect(outcomes.length).toBeGreaterThan(50)
    expect(outcomes).toEqual(expected)
    let issued = 0
    for await (const row of authority.list()) if (row.status === 'issued') issued++
    expect(issued).toBe(hostileRequests.filter(({ code }) => code === null).length)
  })
})

describe('paths and methods', () => {
  it.each([
    '/',
    '/api',
    '/api/csr',
    '/api/csr/',
    '/api/csr//x',
    '/api/csr/x/',
    '/api/csr/a-b',
    '/api/csr/a.b',
    '/api/csr/a%2Fb',
    '/api/csr/%61',
    '/api/csr/%00',
    '/api/csr/ä',
    '/api/csr/x;y',
    '/API/CSR/x',
    `/api/csr/${'x'.repeat(129)}`,
    '/renew/',
    '/ca.pem/',
    '/ca.private_key.pem',
    '/ca.db',
  ])('has nothing at %s', async (path) => {
    const { ask } = await testSite()
    const { pem } = await newRequest()
    expect(await problem(await ask('PUT', path, { headers: PEM, body: pem }))).toMatchObject({ httpStatus: 404 })
    expect(await problem(await ask('GET', path))).toMatchObject({ httpStatus: 404 })
  })

  it.each(['0', 'x'.repeat(128)])('takes %s for a client hash', async (hash) => {
    const { ask } = await testSite()
    await granted(await ask('PUT', `/api/csr/${hash}`, { headers: PEM, body: (await newRequest()).pem }))
  })

  it.each([
    ['/api/csr/f00d', ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'PROPFIND'], 'PUT, OPTIONS'],
    ['/renew', ['GET', 'HEAD', 'PUT', 'DELETE'], 'POST, OPTIONS'],
    ['/rekey', ['GET', 'HEAD', 'PUT', 'DELETE'], 'POST, OPTIONS'],
    ['/ca.pem', ['PUT', 'POST', 'DELETE'], 'GET, HEAD, OPTIONS'],
    ['/crl', ['PUT', 'POST', 'DELETE'], 'GET, HEAD, OPTIONS'],
  ])('allows at %s nothing but what it says', async (path, methods, allow) => {
    const { ask } = await testSite()
    for (const method of methods) {
      const response = await ask(method, path)
      expect([method, response.status, response.headers.get('allow')]).toEqual([method, 405, allow])
    }
    const response = await ask('OPTIONS', path)
    expect([response.status, response.headers.get('allow')]).toEqual([204, allow])
  })

  it('lets no page of another site ask for a certificate', async () => {
    const { put, ask } = await testSite()
    const { pem } = await newRequest()
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'null' }]) {
      const response = await put(pem, { headers: { ...PEM, ...headers } as Record<string, string> })
      expect(await problem(response)).toMatchObject({ httpStatus: 403, code: 'other_site' })
    }
    const own = { ...PEM, 'sec-fetch-site': 'same-origin', origin: 'http://ca.test' }
    await granted(await put(pem, { headers: own }))
    expect(
      (await ask('OPTIONS', '/api/csr/f00d', { headers: { origin: 'http://evil.test' } })).headers.has('vary'),
    ).toBe(false)
    const allowed = [...(await ask('OPTIONS', '/renew', { headers: { origin: 'http://evil.test' } })).headers.keys()]
    expect(allowed.filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('POST /renew and /rekey', () => {
  /** A site, a certificate that it has issued, and its holder. It can be renewed at once. */
  async function renewable() {
    const time = { ms: Date.now() }
    const site = await testSite({}, {}, { clock: () => time.ms })
    const { pem } = await newRequest()
    const issued = await granted(await site.put(pem))
    time.ms = Date.parse(issued.renew_after) + 1000
    return { ...site, issued, peer: fakePeer(issued.signed_x509_pem) }
  }

  it('gives the holder of a certificate another one for the same key', async () => {
    const { ask, issued, peer } = await renewable()
    const renewed = await granted(await ask('POST', '/renew', { peer }))
    expect(renewed.serial).not.toBe(issued.serial)
    expect(Certificate.from(renewed.signed_x509_pem).publicKeyFingerprint).toBe(peer.certificate.publicKeyFingerprint)
  })

  it('gives them one for the key of a request', async () => {
    const { ask, peer } = await renewable()
    const { pem, der } = await newRequest()
    for (const body of [pem, der]) {
      const renewed = await granted(await ask('POST', '/rekey', { peer, headers: PEM, body }))
      expect(Certificate.from(renewed.signed_x509_pem).publicKeyFingerprint).not.toBe(
        peer.certificate.publicKeyFingerprint,
      )
    }
  })

  it.each(['/renew', '/rekey'])('wants a certificate in the handshake for %s', async (path) => {
    const { ask, issued } = await renewable()
    const body = path === '/rekey' ? { body: (await newRequest()).pem } : {}
    // A certificate in a header is a public text that anybody can send.
    const headers = { ...PEM, 'client-cert': `:${Certificate.from(issued.signed_x509_pem).der.toString()}:` }
    expect(await problem(await ask('POST', path, { headers, ...body }))).toMatchObject({
      httpStatus: 403,
      code: 'cert_required',
    })
  })

  it('is not taken in by something that looks like a peer', async () => {
    const { handler, issued } = await renewable()
    const peer = { certificate: Certificate.from(issued.signed_x509_pem) } as ReturnType<typeof fakePeer>
    const renewal = new Request('http://ca.test/renew', { method: 'POST' })
    expect(await problem(await handler(renewal, { peer }))).toMatchObject({ httpStatus: 500 })
    // Hooks would see it, too.
    const init = { method: 'PUT', headers: PEM, body: (await newRequest()).pem }
    const signing = new Request('http://ca.test/api/csr/f00d', init)
    expect(await problem(await handler(signing, { peer }))).toMatchObject({ httpStatus: 500 })
  })

  it('refuses a request sent to /renew, which would get a certificate for the old key', async () => {
    const { ask, peer } = await renewable()
    const body = (await newRequest()).pem
    expect(await problem(await ask('POST', '/renew', { peer, headers: PEM, body }))).toMatchObject({ httpStatus: 400 })
  })

  it('refuses /rekey without a request', async () => {
    const { ask, peer } = await renewable()
    expect(await problem(await ask('POST', '/rekey', { peer, headers: PEM }))).toMatchObject({
      httpStatus: 400,
      code: 'ERR_TLACACOCA_CSR_MALFORMED',
    })
    expect(await problem(await ask('POST', '/rekey', { peer }))).toMatchObject({ httpStatus: 415 })
  })

  it('refuses a certificate of somebody else, one that is revoked, and one that is too new', async () => {
    const { ask, authority, issued, peer } = await renewable()
    const refusal = { httpStatus: 403, code: 'ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED' }
    const other = await testSite()
    const stranger = fakePeer((await granted(await other.put((await newRequest()).pem))).signed_x509_pem)
    expect(await problem(await ask('POST', '/renew', { peer: stranger }))).toMatchObject(refusal)
    const { put } = await testSite()
    const fresh = await granted(await put((await newRequest()).pem))
    expect(await problem(await ask('POST', '/renew', { peer: fakePeer(fresh.signed_x509_pem) }))).toMatchObject(refusal)
    await authority.revoke(issued.serial, { reason: 'key_compromise' })
    expect(await problem(await ask('POST', '/renew', { peer }))).toMatchObject(refusal)
  })
})

describe('GET /ca.pem', () => {
  it('gives out the certificate, and to HEAD what it would be', async () => {
    const { ask, authority } = await testSite()
    const response = await ask('GET', '/ca.pem')
    const text = await response.text()
    expect(text).toBe(authority.certificate.toPem())
    expect(response.headers.get('content-type')).toBe('application/pem-certificate-chain')
    const head = await ask('HEAD', '/ca.pem')
    expect(head.headers.get('content-length')).toBe(String(text.length))
    expect(await head.text()).toBe('')
  })

  it.each([
    ['the same tag', (tag: string) => tag],
    ['a weak tag', (tag: string) => `W/${tag}`],
    ['one of several', (tag: string) => `"a", W/"b", ${tag}`],
    ['any', () => '*'],
  ])('says 304 to whoever has %s', async (_what, header) => {
    const { ask } = await testSite()
    const tag = (await ask('GET', '/ca.pem')).headers.get('etag') ?? ''
    for (const method of ['GET', 'HEAD']) {
      const response = await ask(method, '/ca.pem', { headers: { 'if-none-match': header(tag) } })
      expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([304, '', tag])
    }
  })

  it('says 200 to whoever has something else', async () => {
    const { ask } = await testSite()
    for (const tag of ['"other"', '', 'W/', '"']) {
      expect((await ask('GET', '/ca.pem', { headers: { 'if-none-match': tag } })).status).toBe(200)
    }
  })
})

describe('GET /crl', () => {
  it('gives out the revocation list as DER, for caches to keep for some minutes', async () => {
    const { ask, authority } = await testSite()
    const response = await ask('GET', '/crl')
    expect(response.headers.get('content-type')).toBe('application/pkix-crl')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
    const { der, thisUpdate } = await authority.crl()
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(der)
    expect(response.headers.get('last-modified')).toBe(thisUpdate.toUTCString())
  })

  it('is another one as soon as a certificate is revoked', async () => {
    const { ask, put, authority } = await testSite()
    const { serial } = await granted(await put((await newRequest()).pem))
    const before = (await ask('GET', '/crl')).headers.get('etag') ?? ''
    expect((await ask('GET', '/crl', { headers: { 'if-none-match': before } })).status).toBe(304)
    await authority.revoke(serial, { reason: 'superseded' })
    const after = await ask('GET', '/crl', { headers: { 'if-none-match': before } })
    expect(after.status).toBe(200)
    expect(Buffer.from(await after.arrayBuffer()).toString('hex')).toContain(serial)
  })

  it('is 404 for an authority that keeps no record', async () => {
    const { ask } = await testSite({}, {}, { store: 'none' })
    expect(await problem(await ask('GET', '/crl'))).toMatchObject({ httpStatus: 404 })
  })
})

describe('limits', () => {
  it('refuses the twenty-first try of an address in ten minutes, and says when there will be another', async () => {
    const { put } = await testSite({}, { limiter: new MemoryAuthorityLimiter() })
    const { pem } = await newRequest()
    for (let index = 0; index < 20; index++) expect((await put(pem)).status).toBe(200)
    const response = await put(pem)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await problem(response)).toMatchObject({ httpStatus: 429, code: 'rate_limit' })
    expect((await put(pem, { address: '192.0.2.2' })).status).toBe(200)
  })

  it('is there by default', async () => {
    const { authority } = await testAuthority()
    const handler = createAuthorityHandler(authority)
    const statuses: number[] = []
    for (let index = 0; index < 21; index++) {
      const request = new Request('http://ca.test/api/csr/f00d', { method: 'PUT', headers: PEM, body: 'x' })
      statuses.push((await handler(request, { address: '192.0.2.1' })).status)
    }
    expect(statuses).toEqual([...Array(20).fill(400), 429])
  })

  it('counts a try before anything of its body is read', async () => {
    let pulls = 0
    const { put } = await testSite({}, { limiter: { take: () => ({ allowed: false }) } })
    const body = new ReadableStream({ pull: () => void pulls++ }, { highWaterMark: 0 })
    const response = await put(body as unknown as string, { duplex: 'half' } as RequestInit)
    expect(response.status).toBe(429)
    expect(pulls).toBe(0)
  })

  it('tells the limiter who tries what', async () => {
    const attempts: SigningAttempt[] = []
    const limiter: AuthorityLimiter = {
      take(attempt) {
        attempts.push(attempt)
        return { allowed: false, retryAfterSeconds: 7 }
      },
    }
    const { put, ask, authority } = await testSite({}, { limiter })
    const peer = fakePeer(authority.certificate)
    expect((await put('')).headers.get('retry-after')).toBe('7')
    await ask('POST', '/renew', { peer })
    expect(attempts).toMatchObject([
      { action: 'sign', path: '/api/csr/f00d', clientHash: 'f00d', peer: null },
      { action: 'renew', path: '/renew', clientHash: null, peer },
    ])
    expect(attempts.map(({ address }) => String(address))).toEqual(['192.0.2.1', '192.0.2.1'])
  })

  it.each<[string, () => unknown, number]>([
    [
      'throws',
      () => {
        throw new Error('secret')
      },
      500,
    ],
    ['rejects', () => Promise.reject(new Error('secret')), 500],
    ['answers true', () => true, 500],
    ['answers nothing', () => undefined, 500],
    ['answers yes as a text', () => ({ allowed: 'true' }), 500],
    ['denies access', () => ({ allowed: false, denialReason: 'access_denied' }), 403],
    ['is busy', () => ({ allowed: false, denialReason: 'busy' }), 503],
    ['wants a certificate', () => ({ allowed: false, denialReason: 'cert_required' }), 403],
    ['failed', () => ({ allowed: false, denialReason: 'internal_error' }), 500],
    ['says what nobody knows', () => ({ allowed: false, denialReason: 'constructor' }), 500],
  ])('signs nothing when the limiter %s', async (_what, take, status) => {
    const { put } = await testSite({}, { limiter: { take } as unknown as AuthorityLimiter })
    const response = await put((await newRequest()).pem)
    expect(await response.clone().text()).not.toContain('secret')
    expect(await problem(response)).toMatchObject({ httpStatus: status })
  })
})

describe('onEvent', () => {
  it('is told of every answer', async () => {
    const { put, ask, events } = await testSite()
    const { serial } = await granted(await put((await newRequest()).pem))
    await put('x')
    await ask('GET', '/ca.pem')
    await ask('GET', '/nothing')
    const common = { kind: 'answered', address: '192.0.2.1' }
    expect(events).toEqual([
      {
        ...common,
        method: 'PUT',
        route: 'sign',
        status: 200,
        code: null,
        clientHash: 'f00d',
        serialNumber: serial,
        error: null,
      },
      expect.objectContaining({
        ...common,
        route: 'sign',
        status: 400,
        code: 'ERR_TLACACOCA_CSR_MALFORMED',
        serialNumber: null,
      }),
      {
        ...common,
        method: 'GET',
        route: 'ca',
        status: 200,
        code: null,
        clientHash: null,
        serialNumber: null,
        error: null,
      },
      expect.objectContaining({ ...common, route: 'none', status: 404, code: 'not_found', error: null }),
    ])
    expect(events[1]?.error).toMatchObject({ code: 'ERR_TLACACOCA_CSR_MALFORMED' })
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('harms nobody when it %s', async (_what, onEvent) => {
    const { put } = await testSite({}, { onEvent })
    await granted(await put((await newRequest()).pem))
  })

  it('knows the address that a trusted proxy has named, and no other', async () => {
    const { put, events, handler } = await testSite({}, { trustedProxies: ['192.0.2.1'] })
    const headers = { ...PEM, 'x-forwarded-for': '203.0.113.9, 198.51.100.7' }
    await put('x', { headers })
    await put('x', { headers, address: '192.0.2.2' })
    await handler(new Request('http://ca.test/ca.pem', { headers }))
    expect(events.map(({ address }) => address)).toEqual(['198.51.100.7', '192.0.2.2', null])
  })
})

describe('createAuthorityHandler', () => {
  it('is not made for an authority without hooks, which would sign for everybody', async () => {
    const { authority } = await testAuthority(null)
    expect(() => createAuthorityHandler(authority)).toThrow(/authorize/)
    const handler = createAuthorityHandler(authority, { dangerouslySignEveryRequest: true })
    const init = { method: 'PUT', headers: PEM, body: (await newRequest()).pem }
    await granted(await handler(new Request('http://ca.test/api/csr/anybody', init)))
  })

  it('signs by the profile that it was made for', async () => {
    const { put, authority } = await testSite(
      { authorize: () => ({ allow: true, subjectAltNames: { dns: ['example.org'] } }) },
      { profile: 'server' },
    )
    const { serial } = await granted(await put((await newRequest()).pem))
    expect(await authority.get(serial)).toMatchObject({ profile: 'server' })
  })

  it.each(['intermediate', 'unheard-of', '', '__proto__'])('is not made for the profile %j', async (profile) => {
    const { authority } = await testAuthority()
    expect(() => createAuthorityHandler(authority, { profile })).toThrow(TypeError)
  })

  it.each<[string, AuthorityHandlerOptions]>([
    ['a limiter that cannot take', { limiter: {} as AuthorityLimiter }],
    ['a word instead of yes', { dangerouslySignEveryRequest: 'no' as unknown as boolean }],
    ['a header that nobody writes', { forwardedHeader: 'x-real-ip' as 'forwarded' }],
    ['one proxy instead of a list', { trustedProxies: '127.0.0.1' }],
    ['an option that it does not know', { trustedProxys: [] } as AuthorityHandlerOptions],
    ['a profile that is no name', { profile: 1 as unknown as string }],
  ])('refuses %s', async (_what, options) => {
    const { authority } = await testAuthority()
    expect(() => createAuthorityHandler(authority, options)).toThrow(TypeError)
  })

  it.each<AuthorityHandlerOptions>([
    { maxBytes: 0 },
    { maxBytes: 2 ** 20 + 1 },
    { bodyTimeoutMs: 0 },
    { bodyTimeoutMs: 2 ** 31 },
  ])('refuses %o', async (options) => {
    const { authority } = await testAuthority()
    expect(() => createAuthorityHandler(authority, options)).toThrow(RangeError)
  })

  it('refuses what is no authority', async () => {
    const { authority } = await testAuthority()
    expect(() => createAuthorityHandler({ ...authority } as CertificateAuthority)).toThrow(TypeError)
    expect(() => createAuthorityHandler(undefined as unknown as CertificateAuthority)).toThrow(TypeError)
  })

  it('answers 500 to a context that a program got wrong', async () => {
    const { handler } = await testSite()
    const response = await handler(new Request('http://ca.test/ca.pem'), { address: 7 as unknown as string })
    expect(await problem(response)).toMatchObject({ httpStatus: 500 })
  })
})
