import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseCertificates } from '../../src/certificate/load.ts'
import { formatPem, parsePem } from '../../src/certificate/pem.ts'
import { CertificateError } from '../../src/errors.ts'
import { vectorPem } from '../support/vectors.ts'

const PEM = vectorPem('example-org')
const SECOND = vectorPem('ed25519')
const KNOWN = parseCertificates(PEM + SECOND).map((each) => each.fingerprint)

/** Explanatory text: anything but what looks like the edge of a block. */
const explanation = fc.string({ unit: 'grapheme', maxLength: 50 }).map((text) => text.replaceAll('-', ''))

it('any bytes are read back from their block, whatever stands around it', () => {
  const block = fc.record({
    label: fc.constantFrom('CERTIFICATE', 'PRIVATE KEY', 'X509 CRL'),
    der: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(explanation, block), { maxLength: 4 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      (parts, end) => {
        const text = parts.map(([words, { label, der }]) => `${words}\n${formatPem(label, der)}`).join('')
        const read = parsePem(text.replaceAll('\n', end))
        expect(read.map(({ label, der }) => ({ label, der }))).toEqual(
          parts.map(([, { label, der }]) => ({ label, der })),
        )
      },
    ),
    { numRuns: 2000 },
  )
})

const text = PEM + SECOND
const lines = text.trimEnd().split('\n')
const junk = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 5 }),
  fc.constantFrom('\n', '\r', '=', '-----', ...lines.filter((line) => line.startsWith('-----')), '\ufeff', '\0'),
)

it('a line more, less or twice gives certificates that were there, or an error of ours', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: lines.length - 1 }),
      fc.constantFrom('remove', 'double', 'insert'),
      junk,
      (at, how, line) => {
        const edited =
          how === 'remove'
            ? lines.toSpliced(at, 1)
            : lines.toSpliced(at, 0, how === 'double' ? (lines[at] ?? '') : line)
        expectOurError(() => {
          for (const each of parseCertificates(edited.join('\n'))) expect(KNOWN).toContain(each.fingerprint)
        })
      },
    ),
    { numRuns: 3000 },
  )
})

it('any tampering gives certificates or an error of ours', () => {
  const edit = fc.record({ at: fc.nat({ max: text.length }), remove: fc.nat({ max: 80 }), insert: junk })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const tampered = edits.reduce((t, { at, remove, insert }) => t.slice(0, at) + insert + t.slice(at + remove), text)
      expectOurError(() => parseCertificates(tampered))
    }),
    { numRuns: 5000 },
  )
})

function expectOurError(what: () => void): void {
  try {
    what()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
  }
}
