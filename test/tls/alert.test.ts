import { describe, expect, it } from 'vitest'
import { alertName, complaint, receivedAlert } from '../../src/tls/alert.ts'

// As OpenSSL 3.0 and 3.5 word the same alert.
const OLD = new Error(
  'C0BC:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:rec.c:1:SSL alert number 42\n',
)
const NEW = new Error(
  'C0BC:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:rec.c:1:SSL alert number 42\n',
)

describe('an alert', () => {
  it.each([OLD, NEW])('is known by its number, however it is worded', (error) => {
    expect(receivedAlert(error)).toBe(42)
  })

  it('is not made of other errors', () => {
    expect(receivedAlert(new Error('read ECONNRESET'))).toBeUndefined()
  })

  it.each([
    { alert: 42, name: 'bad_certificate (42)' },
    { alert: 116, name: 'certificate_required (116)' },
    { alert: 200, name: '200' },
  ])('$alert is called $name', ({ alert, name }) => {
    expect(alertName(alert)).toBe(name)
  })
})

describe('a complaint of OpenSSL', () => {
  it('is its reason where it gives one, and always one line', () => {
    expect(complaint(Object.assign(new Error('C0BC:error:…:\n\n'), { reason: 'wrong version number' }))).toBe(
      'wrong version number',
    )
    expect(complaint(new Error(' two\n\nlines \n'))).toBe('two lines')
  })
})
