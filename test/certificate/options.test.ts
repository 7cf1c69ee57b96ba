import { expect, it } from 'vitest'
import {
  getCertificateInfo,
  isCertificateExpired,
  isCertificateNotYetValid,
  validateCertificateFile,
} from '../../src/certificate/index.ts'
import { testCertificate } from '../support/certificates.ts'

const later = new Date('2099-01-01T00:00:00Z')

it('judges dates by the instant that it is given', async () => {
  const { certificate } = await testCertificate()
  expect(isCertificateExpired(certificate, { at: later })).toBe(true)
  expect(isCertificateExpired(certificate)).toBe(false)
  expect(isCertificateNotYetValid(certificate, { at: new Date('2000-01-01T00:00:00Z') })).toBe(true)
})

// Read as options, each of these would mean "now", and an expired certificate would not be.
it.each([later, { At: later }, { now: later }, { at: '2099-01-01' }, { at: new Date(Number.NaN) }])(
  'takes no instant in another form: %o',
  async (options) => {
    const { certificate } = await testCertificate()
    expect(() => isCertificateExpired(certificate, options as never)).toThrow(/"options"|"at"/)
    expect(() => isCertificateNotYetValid(certificate, options as never)).toThrow(/"options"|"at"/)
    expect(() => getCertificateInfo(certificate, options as never)).toThrow(/"options"|"at"/)
  },
)

it.each(['privateKeyFile', 'keyPath', 'Keyfile'])(
  'does not pass over a key file that is named as "%s"',
  async (name) => {
    await expect(validateCertificateFile('cert.pem', { [name]: 'key.pem' } as never)).rejects.toThrow(/no option/)
  },
)
