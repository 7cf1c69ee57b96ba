import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import { openInsideRoot } from '../../src/middleware/open-inside-root.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { parseTarget, type RequestTarget } from '../../src/names/request-target.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// One site, one protected folder, and everybody who ever tried to get past the rule for it. A rule that is matched
// against anything but what is opened has lost; so each URL is either refused before any rule is asked, or the rule
// covers it, or it names another place. Which of the three is written down for each.

const auth = new CertificateAuth({ rules: [{ path: '/admin/' }] })
const address = parseClientAddress('192.0.2.1')

function parse(url: string): RequestTarget | null {
  try {
    return parseTarget(url, { schemes: { gemini: 1965, titan: 1965 }, served: ['example.org'] })
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidNameError)
    return null
  }
}

function outcome(url: string): 'refused' | 'protected' | 'elsewhere' {
  const target = parse(url)
  if (target === null) return 'refused'
  const decision = auth.decide({ target, address, peer: null })
  if (decision instanceof Promise || !decision.allowed) return 'protected'
  return 'elsewhere'
}

const protectedUrls = [
  'gemini://example.org/admin/',
  'gemini://example.org/admin',
  'gemini://example.org/admin/secret.gmi',
  'gemini://example.org:1965/admin/secret.gmi',
  'gemini://example.org:/admin/secret.gmi',
  // Scheme and host in other letters.
  'GEMINI://example.org/admin/secret.gmi',
  'gemini://EXAMPLE.ORG/admin/secret.gmi',
  'gemini://example.org./admin/secret.gmi',
  'gemini://ｅｘａｍｐｌｅ.org/admin/secret.gmi',
  'gemini://example。org/admin/secret.gmi',
  'gemini://exam\u00adple.org/admin/secret.gmi',
  'gemini://exam\u200bple.org/admin/secret.gmi',
  'gEmInI://eXaMpLe.OrG.:1965/admin/secret.gmi',
  // A port that the rule says nothing about.
  'gemini://example.org:1966/admin/secret.gmi',
  // Slashes.
  'gemini://example.org//admin/secret.gmi',
  'gemini://example.org////admin////secret.gmi',
  'gemini://example.org/admin//secret.gmi',
  'gemini://example.org/admin/secret.gmi/',
  'gemini://example.org/admin/secret.gmi//',
  // Dot segments.
  'gemini://example.org/./admin/secret.gmi',
  'gemini://example.org/admin/./secret.gmi',
  'gemini://example.org/admin/.',
  'gemini://example.org/pub/../admin/secret.gmi',
  'gemini://example.org/../admin/secret.gmi',
  'gemini://example.org/../../../../admin/secret.gmi',
  'gemini://example.org/pub/x/../../admin/secret.gmi',
  'gemini://example.org/pub//..//admin/secret.gmi',
  'gemini://example.org/admin/x/../secret.gmi',
  'gemini://example.org/admin/../admin/secret.gmi',
  'gemini://example.org/pub/..//./../admin/secret.gmi',
  'gemini://example.org/admin/..//admin/./secret.gmi/.',
  'gemini://example.org/..//..//admin',
  'gemini://example.org/.//..///./admin//.',
  'gemini://example.org/admin/secret.gmi/x/..',
  'gemini://example.org/admin/secret.gmi/../secret.gmi',
  'gemini://example.org/pub/.../../../admin/secret.gmi',
  // Escapes.
  'gemini://example.org/%61dmin/secret.gmi',
  'gemini://example.org/%61%64%6d%69%6e/secret.gmi',
  'gemini://example.org/%61%64%6D%69%6E/%73ecret.gmi',
  'gemini://example.org/admi%6E',
  'gemini://example.org/%2e/admin/secret.gmi',
  'gemini://example.org/%2e%2e/admin/secret.gmi',
  'gemini://example.org/pub/%2e%2e/admin/secret.gmi',
  'gemini://example.org/pub/%2E%2E/admin/secret.gmi',
  'gemini://example.org/pub/.%2e/admin/secret.gmi',
  'gemini://example.org/pub/%2e./admin/secret.gmi',
  'gemini://example.org/admin/%2e/secret.gmi',
  'gemini://example.org/pub/%2e%2e//%61dmin/secret.gmi',
  'gemini://example.org/%2E/%2e%2E//%61%44/%2e./admin/secret.gmi',
  'gemini://example.org/%C3%BC/../admin/secret.gmi',
  'gemini://example.org/ü/../admin/secret.gmi',
  'gemini://example.org/admin/%73%65%63%72%65%74%2E%67%6D%69',
  // Query, also with a path in it.
  'gemini://example.org/admin/secret.gmi?',
  'gemini://example.org/admin?/pub',
  'gemini://example.org/admin/secret.gmi?/../../pub',
  'gemini://example.org/admin/secret.gmi??',
  'gemini://example.org/admin/secret.gmi?%2F..%2F..%2Fpub',
  'gemini://example.org/admin/secret.gmi?gemini://example.org/pub/',
  'gemini://example.org/admin/secret.gmi?token=%00',
  // Parameters: to Gemini part of the name, to Titan not.
  'gemini://example.org/admin/secret.gmi;x=y',
  'titan://example.org/admin/secret.gmi',
  'titan://example.org/admin/secret.gmi;size=3',
  'titan://example.org/admin;size=3;mime=text/gemini',
  'titan://example.org/%61dmin/secret.gmi;mime=text/plain;size=3',
  'titan://example.org/pub/../admin/;size=0',
  'titan://example.org/admin/secret.gmi;token=%2F..%2Fpub;size=3',
  'titan://example.org/admin/;size=3?/../pub',
  'titan://example.org//%61dmin/./secret.gmi;size=3',
  'TITAN://EXAMPLE.ORG./admin;size=3',
  'titan://example.org/admin/secret.gmi;token=/../../pub/;size=3',
]

const refusedUrls = [
  '',
  '/admin/secret.gmi',
  'admin/secret.gmi',
  '//example.org/admin/secret.gmi',
  '?admin',
  '#admin',
  'gemini:/admin/secret.gmi',
  'gemini:admin/secret.gmi',
  'gemini:///admin/secret.gmi',
  'gemini:////example.org/admin/secret.gmi',
  'gemini:/\\example.org/admin/secret.gmi',
  'gemini:\\\\example.org\\admin\\secret.gmi',
  'gemini:example.org/admin/secret.gmi',
  'gemini;//example.org/admin/secret.gmi',
  'gemini%3A//example.org/admin/secret.gmi',
  'gemini:%2f%2fexample.org/admin/secret.gmi',
  'gemini://?/admin/secret.gmi',
  'gemini://gemini://example.org/admin/secret.gmi',
  'view-source:gemini://example.org/admin/secret.gmi',
  'gemini+tls://example.org/admin/secret.gmi',
  'gem\u0131ni://example.org/admin/secret.gmi',
  'gemini://',
  'gemini://:1965/admin/secret.gmi',
  '://example.org/admin/secret.gmi',
  'https://example.org/admin/secret.gmi',
  'file:///admin/secret.gmi',
  'javascript://example.org/admin/secret.gmi',
  // Whose authority is this?
  'gemini://user@example.org/admin/secret.gmi',
  'gemini://user:password@example.org/admin/secret.gmi',
  'gemini://example.org@evil.example/admin/secret.gmi',
  'gemini://evil.example@example.org/admin/secret.gmi',
  'gemini://@example.org/admin/secret.gmi',
  'gemini://:@example.org/admin/secret.gmi',
  'gemini://example.org:1965@example.org/admin/secret.gmi',
  'gemini://example.org%40evil.example/admin/secret.gmi',
  'gemini://example.org;evil.example/admin/secret.gmi',
  'gemini://example.org&evil.example/admin/secret.gmi',
  'gemini://example.org,evil.example/admin/secret.gmi',
  'gemini://example.org|evil.example/admin/secret.gmi',
  'gemini://*.example.org/admin/secret.gmi',
  'gemini://www.example.org/admin/secret.gmi',
  'gemini://127.0.0.1/admin/secret.gmi',
  'gemini://0x7f.1/admin/secret.gmi',
  'gemini://localhost/admin/secret.gmi',
  'gemini://evil.example/admin/secret.gmi',
  'gemini://example.org.evil.example/admin/secret.gmi',
  'gemini://xn--exampe-7bb.org/admin/secret.gmi',
  'gemini://ехаmple.org/admin/secret.gmi',
  'gemini://examp1e.org/admin/secret.gmi',
  'gemini://example․org.evil.example/admin/secret.gmi',
  'gemini://example.org\u2215admin/secret.gmi',
  'gemini://example.org／admin/secret.gmi',
  'gemini://example.org？/admin/secret.gmi',
  'gemini://example.org＃/admin/secret.gmi',
  'gemini://example.org＠evil.example/admin/secret.gmi',
  'gemini://evil.example℀example.org/admin/secret.gmi',
  'gemini://example.org\u202e/admin/secret.gmi',
  'gemini://xn--/admin/secret.gmi',
  'gemini://xn--example-.org/admin/secret.gmi',
  'gemini://exam%70le.org/admin/secret.gmi',
  'gemini://example.org%2Fadmin/secret.gmi',
  'gemini://example.org\\admin/secret.gmi',
  'gemini://[example.org]/admin/secret.gmi',
  'gemini://[::1/admin/secret.gmi',
  'gemini://[::1%25eth0]/admin/secret.gmi',
  'gemini://example..org/admin/secret.gmi',
  'gemini://.example.org/admin/secret.gmi',
  'gemini://example.org:0/admin/secret.gmi',
  'gemini://example.org:65536/admin/secret.gmi',
  'gemini://example.org:01965/admin/secret.gmi',
  'gemini://example.org:+1965/admin/secret.gmi',
  'gemini://example.org:1965:1965/admin/secret.gmi',
  'gemini://example.org:gemini/admin/secret.gmi',
  'gemini://example.org:-1/admin/secret.gmi',
  'gemini://example.org:1965.0/admin/secret.gmi',
  'gemini://example.org:1e3/admin/secret.gmi',
  'gemini://example.org:0x7ad/admin/secret.gmi',
  'gemini://example.org:１９６５/admin/secret.gmi',
  'gemini://example.org:4294969261/admin/secret.gmi',
  'gemini://example.org.:0/admin/secret.gmi',
  'gemini://example.org../admin/secret.gmi',
  // Separators in disguise.
  'gemini://example.org/%2fadmin/secret.gmi',
  'gemini://example.org/%2Fadmin/secret.gmi',
  'gemini://example.org/admin%2fsecret.gmi',
  'gemini://example.org/admin%2Fsecret.gmi',
  'gemini://example.org/pub%2f..%2fadmin/secret.gmi',
  'gemini://example.org/pub/..%2fadmin/secret.gmi',
  'gemini://example.org/\\admin/secret.gmi',
  'gemini://example.org/admin\\secret.gmi',
  'gemini://example.org/%5cadmin/secret.gmi',
  'gemini://example.org/pub/..%5Cadmin/secret.gmi',
  'gemini://example.org/pub%2F%2e%2e%2Fadmin/secret.gmi',
  'gemini://example.org/pub/%2e%2e%2fadmin/secret.gmi',
  'gemini://example.org/pub/..%5c..%2fadmin',
  'gemini://example.org/pub\\..\\admin\\secret.gmi',
  'gemini://example.org/%2f',
  'gemini://example.org/%2f%2f%61dmin',
  'gemini://example.org%2f/admin/secret.gmi',
  'titan://example.org/pub%2f..%2fadmin;size=3',
  // Bytes that are no text.
  'gemini://example.org/admin%00/secret.gmi',
  'gemini://example.org/admin/secret.gmi%00',
  'gemini://example.org/%00/admin/secret.gmi',
  'gemini://example.org/admin\0/secret.gmi',
  'gemini://example.org/%c0%afadmin/secret.gmi',
  'gemini://example.org/%c0%ae%c0%ae/admin/secret.gmi',
  'gemini://example.org/%e0%80%afadmin/secret.gmi',
  'gemini://example.org/%c1%a1dmin/secret.gmi',
  'gemini://example.org/%f0%80%80%afadmin',
  'gemini://example.org/%f8%80%80%80%afadmin',
  'gemini://example.org/%fc%80%80%80%80%afadmin',
  'gemini://example.org/pub/%e0%80%ae%e0%80%ae/admin',
  'gemini://example.org/pub/%c0%2e%c0%2e/admin',
  'gemini://example.org/pub/%c0%5c..%c0%5cadmin',
  'gemini://example.org/%f4%90%80%80/../admin',
  'gemini://example.org/%ef%bf%bd/../admin',
  'gemini://example.org/\ufffd/../admin',
  'gemini://example.org/%61%cc/admin',
  'gemini://example.org/%c3/%bc/../../admin',
  'gemini://example.org/%fcadmin/secret.gmi',
  'gemini://example.org/%ed%a0%80/../admin',
  'gemini://example.org/\ud800/../admin',
  // Escapes that are none.
  'gemini://example.org/%/../admin/secret.gmi',
  'gemini://example.org/%6/admin/secret.gmi',
  'gemini://example.org/%6gdmin/secret.gmi',
  'gemini://example.org/%u0061dmin/secret.gmi',
  'gemini://example.org/%u002e%u002e/admin/secret.gmi',
  'gemini://example.org/%%32%65%%32%65/admin/secret.gmi',
  'gemini://example.org/%x61dmin/secret.gmi',
  'gemini://example.org/%6１dmin/secret.gmi',
  'gemini://example.org/&#97;dmin/secret.gmi',
  'gemini://example.org/% 61dmin/secret.gmi',
  'gemini://example.org/admin%',
  // Characters that some parsers drop.
  'gemini://example.org/ad\tmin/secret.gmi',
  'gemini://example.org/ad\rmin/secret.gmi',
  'gemini://example.org/ad\nmin/secret.gmi',
  'gemini://example.org/\r\n/admin/secret.gmi',
  'gemini://exam\tple.org/admin/secret.gmi',
  'gem\tini://example.org/admin/secret.gmi',
  ' gemini://example.org/admin/secret.gmi',
  'gemini://example.org/admin/secret.gmi ',
  'gemini://example.org/ admin/secret.gmi',
  '\u00a0gemini://example.org/admin/secret.gmi',
  '\ufeffgemini://example.org/admin/secret.gmi',
  'gemini://example.org/%09admin/secret.gmi',
  'gemini://example.org/admin%0d%0a/secret.gmi',
  'gemini://example.org/admin%7f/secret.gmi',
  'gemini://example.org/\u0085admin/secret.gmi',
  'gemini://example.org/%c2%85admin/secret.gmi',
  'gemini://example.org/%1b%5bAadmin/secret.gmi',
  'gemini://example.org/\u009badmin/secret.gmi',
  'gemini://example.org/admin\u000b/secret.gmi',
  'gemini://example.org/admin/secret.gmi\u001a',
  'gemini://example.org/admin/secret.gmi\r',
  'gemini://example.org/admin/secret.gmi\ngemini://example.org/pub/',
  'gemini://example.org/pub/ HTTP/1.1',
  'gemini://example.org/<admin>/secret.gmi',
  'gemini://example.org/"admin"/secret.gmi',
  'gemini://example.org/`admin`/secret.gmi',
  'gemini://example.org/{admin}/secret.gmi',
  // Fragments.
  'gemini://example.org/admin/secret.gmi#',
  'gemini://example.org/pub#/../admin/secret.gmi',
  'gemini://example.org#@evil.example/admin',
  // Titan's parameters, as nobody writes them.
  'titan://example.org/pub;size=3;size=4/../admin',
  'titan://example.org/pub;/../admin/secret.gmi',
  'titan://example.org/pub;size=3;mime=%00',
  'titan://example.org/pub;/admin;size=3',
  'titan://example.org/pub/..;/admin/secret.gmi',
  'titan://example.org/admin;;size=3',
  'titan://example.org/admin;size',
  'titan://example.org/admin;=3',
  'titan://example.org/admin;SIZE=3',
  'titan://example.org/pub;size=3;token=%c0%af',
  'titan://example.org;size=3/admin',
]

// They look like the protected place and are others: nothing below /admin is opened by them.
const elsewhereUrls = [
  'gemini://example.org/',
  'gemini://example.org/administrator',
  'gemini://example.org/admin.gmi',
  'gemini://example.org/admin/../pub/page.gmi',
  'gemini://example.org/admin/..',
  'gemini://example.org/pub/admin/secret.gmi',
  'gemini://example.org/Admin/secret.gmi',
  'gemini://example.org/ADMIN/SECRET.GMI',
  'gemini://example.org/admin%20/secret.gmi',
  'gemini://example.org/%20admin/secret.gmi',
  'gemini://example.org/admin./secret.gmi',
  'gemini://example.org/admin;x/secret.gmi',
  'gemini://example.org/admin;/secret.gmi',
  'gemini://example.org/admin%3Fx/secret.gmi',
  'gemini://example.org/admin%23/secret.gmi',
  'gemini://example.org/%2561dmin/secret.gmi',
  'gemini://example.org/%252e%252e/admin/secret.gmi',
  'gemini://example.org/pub/%252e%252e/admin/secret.gmi',
  'gemini://example.org/%252fadmin/secret.gmi',
  'gemini://example.org/.../admin/secret.gmi',
  'gemini://example.org/..;/admin/secret.gmi',
  'gemini://example.org/pub/..;/admin/secret.gmi',
  'gemini://example.org/pub/..;x=y/admin',
  'gemini://example.org/;/admin/secret.gmi',
  'gemini://example.org/%2e%2e%3b/admin/secret.gmi',
  'gemini://example.org/..%20/admin/secret.gmi',
  'gemini://example.org/.%20./admin/secret.gmi',
  'titan://example.org/admin%3bsize=3',
  'gemini://example.org/pub/%25%32%65%25%32%65/admin/secret.gmi',
  'gemini://example.org/pub/%25c0%25ae/admin/secret.gmi',
  'gemini://example.org/pub/．．/admin/secret.gmi',
  'gemini://example.org/pub/\u2025/admin/secret.gmi',
  'gemini://example.org/pub/\u2024\u2024/admin/secret.gmi',
  'gemini://example.org/ad%CC%88min/secret.gmi',
  'gemini://example.org/%EF%BB%BFadmin/secret.gmi',
  'gemini://example.org/\u202eadmin/secret.gmi',
  'gemini://example.org/admi\u0578/secret.gmi',
  'gemini://example.org/adm\u0130n/secret.gmi',
  'gemini://example.org/admin%E2%80%A8/secret.gmi',
  'gemini://example.org/admin%CD%8F/secret.gmi',
  'gemini://example.org/admin::$DATA/secret.gmi',
  'gemini://example.org/ADMIN~1/secret.gmi',
  'gemini://example.org/C:/admin/secret.gmi',
  'gemini://example.org/file:/admin/secret.gmi',
  'gemini://example.org/admin%2A/secret.gmi',
  'gemini://example.org/a*/secret.gmi',
  'gemini://example.org/[a]dmin/secret.gmi',
  'gemini://example.org/admin%7C/secret.gmi',
  'gemini://example.org/$HOME/../x/admin',
  'gemini://example.org/%24%28echo%20admin%29/secret.gmi',
  'gemini://example.org/proc/self/root/admin',
  'gemini://example.org/~/admin/secret.gmi',
  'gemini://example.org/ａｄｍｉｎ/secret.gmi',
  'gemini://example.org/аdmin/secret.gmi',
  'gemini://example.org/ad\u00admin/secret.gmi',
  'gemini://example.org/admin%E2%80%8B/secret.gmi',
  'gemini://example.org/pub∕..∕admin∕secret.gmi',
  'gemini://example.org/pub／..／admin／secret.gmi',
  'gemini://example.org/gemini://example.org/admin/secret.gmi',
  'gemini://example.org?/admin/secret.gmi',
  'gemini://example.org/?/../admin/secret.gmi',
  'titan://example.org/pub;mime=/../admin/secret.gmi',
]

describe('a rule for /admin/', () => {
  it.each(protectedUrls)('covers %j', (url) => expect(outcome(url)).toBe('protected'))
  it.each(refusedUrls)('is not even asked about %j', (url) => expect(outcome(url)).toBe('refused'))
  it.each(elsewhereUrls)('leaves alone what is elsewhere: %j', (url) => expect(outcome(url)).toBe('elsewhere'))

  it('keeps its files from everybody without a certificate, by whatever URL they ask', async () => {
    const root = await temporaryFolder()
    for (const folder of ['admin', 'pub']) {
      await mkdir(join(root, folder))
      await writeFile(join(root, folder, 'secret.gmi'), `the secret of ${folder}`)
    }
    let opened = 0
    for (const url of [...protectedUrls, ...refusedUrls, ...elsewhereUrls, 'gemini://example.org/pub/secret.gmi']) {
      const target = parse(url)
      if (target === null) continue
      const { segments } = target.path
      // What a handler would make of the path if it did no more than join it to the root.
      const naive = join(root, ...segments)
      const decision = await auth.decide({ target, address, peer: null })
      const file = await openInsideRoot(root, target.path)
      const text = file === null ? '' : await file.readFile('utf8')
      await file?.close()
      if (text !== '') opened++
      if (!decision.allowed) continue
      expect(`${naive}/`.startsWith(`${root}/`), url).toBe(true)
      expect(`${naive}/`.startsWith(`${join(root, 'admin')}/`), url).toBe(false)
      expect(text, url).not.toContain('admin')
    }
    // The files were there to be opened: it is the rule that kept them.
    expect(opened).toBeGreaterThan(20)
  })

  it('costs a megabyte of URL no more than a refusal', () => {
    const long = 'x'.repeat(1 << 20)
    for (const url of [
      `gemini://example.org/${long}`,
      `gemini://example.org/${'../'.repeat(1 << 18)}admin/`,
      `gemini://${long}/admin/`,
      `gemini://example.org/${'%61'.repeat(1 << 18)}`,
      long,
    ]) {
      expect(outcome(url)).toBe('refused')
    }
  })
})
