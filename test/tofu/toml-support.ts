import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import type { FileProblem } from '../../src/errors.ts'
import type { Pin } from '../../src/tofu/pin.ts'
import { readPinsToml, type TomlPin, type TomlSource } from '../../src/tofu/toml-read.ts'
import { formatPinsToml } from '../../src/tofu/toml-write.ts'

/** A pin of which the relatives can hold everything. */
export function pinOf(change: Partial<Pin> = {}): Pin {
  return {
    subject: 'example.org:1965',
    digest: parseFingerprint(`sha256:${'a'.repeat(64)}`),
    state: 'trusted',
    keyDigest: null,
    notAfter: null,
    firstSeen: new Date('2026-01-02T03:04:05.678Z'),
    lastSeen: new Date('2026-02-03T04:05:06.000Z'),
    daysSeen: 1,
    source: null,
    note: null,
    ...change,
  }
}

export async function tomlOf(pins: Parameters<typeof formatPinsToml>[0]): Promise<string> {
  let text = ''
  for await (const piece of formatPinsToml(pins, { exportedAt: new Date('2026-11-25T12:00:00Z') })) text += piece
  return text
}

/** Everything that was read, as a caller sees it who heeds restarts. */
export interface ReadToml {
  pins: TomlPin[]
  problems: FileProblem[]
  restarts: number
}

export async function readToml(source: TomlSource): Promise<ReadToml> {
  let read: ReadToml = { pins: [], problems: [], restarts: 0 }
  for await (const batch of readPinsToml(source)) {
    if (batch.restart) read = { pins: [], problems: [], restarts: read.restarts + 1 }
    read.pins.push(...batch.pins)
    read.problems.push(...batch.problems)
  }
  return read
}
