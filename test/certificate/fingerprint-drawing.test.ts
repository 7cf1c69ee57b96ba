import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import { drawFingerprint } from '../../src/certificate/fingerprint-drawing.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const fingerprint = parseFingerprint('sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257')

const usable = spawnSync('ssh-keygen', ['-?']).error === undefined
if (!usable) console.warn('ssh-keygen is not installed, so drawings are not compared with those of OpenSSH')

describe.skipIf(!usable)('a drawing equals that of ssh-keygen', () => {
  it.each([
    ['ed25519', '256', 'ED25519 256'],
    ['ecdsa', '256', 'ECDSA 256'],
    ['ecdsa', '521', 'ECDSA 521'],
    ['rsa', '2048', 'RSA 2048'],
  ])('for %s keys of %s bits', async (type, bits, title) => {
    const folder = await temporaryFolder()
    for (let number = 0; number < (type === 'rsa' ? 2 : 15); number++) {
      const file = join(folder, `key-${number}`)
      execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-C', '', '-f', file])
      const printed = execFileSync('ssh-keygen', ['-lv', '-E', 'sha256', '-f', `${file}.pub`], { encoding: 'utf8' })
      const [line = '', ...picture] = printed.trimEnd().split('\n')
      const [, blob = ''] = (await readFile(`${file}.pub`, 'utf8')).split(' ')
      const digest = createHash('sha256').update(Buffer.from(blob, 'base64'))
      const theirs = parseFingerprint(line.split(' ')[1] ?? '')
      expect(theirs).toBe(`sha256:${digest.digest('hex')}`)
      expect(drawFingerprint(theirs, { title })).toBe(picture.join('\n'))
    }
  })

  it('for SHA-512', async () => {
    const file = join(await temporaryFolder(), 'key')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file])
    const printed = execFileSync('ssh-keygen', ['-lv', '-E', 'sha512', '-f', `${file}.pub`], { encoding: 'utf8' })
    const [line = '', ...picture] = printed.trimEnd().split('\n')
    expect(drawFingerprint(parseFingerprint(line.split(' ')[1] ?? ''), { title: 'ED25519 256' })).toBe(
      picture.join('\n'),
    )
  })
})

describe('a drawing', () => {
  // By `ssh-keygen -lv` of OpenSSH 9.2.
  it('is the one that OpenSSH printed for a fingerprint of its own', () => {
    const theirs = parseFingerprint('SHA256:0MRxeaNwEMdsBXLpkO44Z4ivhW2nFaFydqYfOtGrslo')
    expect(drawFingerprint(theirs, { title: 'ED25519 256' }).split('\n')).toEqual([
      '+--[ED25519 256]--+',
      '|       .*B==.    |',
      '|       o==B o    |',
      '|      ..o* o .   |',
      '|       o..o      |',
      '|    ..+=S        |',
      '|    .*=+=.       |',
      '|    E.==+.       |',
      '|   ..oo*..       |',
      '|  ..o++o.        |',
      '+----[SHA256]-----+',
    ])
  })

  it('has the kind of the fingerprint above it and the hash below it', () => {
    const lines = drawFingerprint(fingerprint).split('\n')
    expect([lines.at(0), lines.at(-1)]).toEqual(['+--[CERTIFICATE]--+', '+----[SHA256]-----+'])
    expect(drawFingerprint(parseFingerprint(`spki-${fingerprint}`)).split('\n')[0]).toBe('+--[PUBLIC KEY]---+')
    expect(lines).toHaveLength(11)
    for (const line of lines) expect(line).toHaveLength(19)
  })

  it('slides along the walls: bits that are all 0 or all 1 end in a corner, and the last mark counts no further', () => {
    const zeros = drawFingerprint(parseFingerprint('00'.repeat(32))).split('\n')
    expect(zeros[1]).toBe('|E....            |')
    const ones = drawFingerprint(parseFingerprint('ff'.repeat(32))).split('\n')
    expect(ones[9]).toBe('|            ....E|')
    // Up and down between two rows at the left wall, more often than there are marks.
    const often = drawFingerprint(parseFingerprint('88'.repeat(32)))
    expect(often).toContain('^')
    expect(often).not.toContain('/')
  })

  it.each([
    ['', '+-----------------+'],
    ['x', '+-------[x]-------+'],
    ['example.org', '+--[example.org]--+'],
    ['fifteen letters', '+[fifteen letters]+'],
  ])('can have the title %j', (title, border) => {
    expect(drawFingerprint(fingerprint, { title }).split('\n')[0]).toBe(border)
  })

  it.each([
    ['sixteen letters!', RangeError],
    ['bücher', RangeError],
    ['a\nb', RangeError],
    ['\u001b[2J', RangeError],
    [5, TypeError],
  ])('cannot have the title %j', (title, error) => {
    expect(() => drawFingerprint(fingerprint, { title: title as string })).toThrow(error)
  })

  it('is not made of what is no fingerprint', () => {
    expect(() => drawFingerprint('146a' as typeof fingerprint)).toThrow(TypeError)
    expect(() => drawFingerprint(fingerprint, { titel: 'x' } as object)).toThrow(TypeError)
  })
})
