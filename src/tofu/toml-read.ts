// Pins out of TOML text: our own exports, those of the Python relatives, and whatever people make of them by hand.
//
// A text of the plain layout that we and the relatives write is read line by line in (nearly) constant memory. At the
// first line that is anything else, reading starts again from the beginning with a whole TOML parser, and `restart`
// says so. That takes fifty times the memory of the text and more, so it is for files of a bounded size.

import type { FileProblem } from '../errors.ts'
import { PinsCollector, type TomlPin } from './toml-collect.ts'
import { readDocument } from './toml-document.ts'
import { ExactKnownPins, HashedKnownPins, type KnownPins } from './toml-known.ts'
import { NotPlain, PlainReader } from './toml-plain.ts'

export type { TomlPin } from './toml-collect.ts'

/** What one piece of the file held. */
export interface PinsTomlBatch {
  /** Reading began anew: whatever earlier batches held is void. */
  readonly restart: boolean
  readonly pins: readonly TomlPin[]
  readonly problems: readonly FileProblem[]
  /** How many bytes (UTF-16 units, where the source gives strings) were read by now; from 0 again after a restart. */
  readonly bytesRead: number
}

/** The text itself, or a function that opens it from the beginning; it is called once more for a restart. */
export type TomlSource = string | (() => Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>)

// The parser makes an object of some hundred bytes of what takes three in the text.
const MAX_DOCUMENT_LENGTH = 16 * 1024 * 1024

/**
 * Reads the pins of a TOML text and everything that is wrong with it, piece by piece. Nothing may be imported if there
 * was any problem in any piece, which is known only at the end; and a batch with `restart` voids all before it.
 *
 * @throws Whatever the source throws.
 */
export async function* readPinsToml(source: TomlSource): AsyncGenerator<PinsTomlBatch, void, undefined> {
  const open = typeof source === 'string' ? () => [source] : source
  let notPlain = yield* readPlain(open, new HashedKnownPins(mayRepeat), false)
  if (notPlain === undefined) return

  const text = await readText(open)
  if (text !== undefined) {
    const collector = new PinsCollector(new ExactKnownPins())
    await readDocument(text, collector)
    yield { restart: true, ...collector.take(), bytesRead: text.length }
    return
  }
  if (notPlain.mayRepeat) notPlain = yield* readPlain(open, new ExactKnownPins(), true)
  if (notPlain === undefined) return
  const message =
    'from here on the file is not in the layout of an export, in which alone files over 16 MiB are read; ' +
    'write this line like the others, or split the file'
  yield { restart: true, pins: [], problems: [{ line: notPlain.line, column: 1, message }], bytesRead: 0 }
}

async function* readPlain(
  open: () => Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  known: KnownPins,
  isRestart: boolean,
): AsyncGenerator<PinsTomlBatch, NotPlain | undefined, undefined> {
  const collector = new PinsCollector(known, ({ line }) => {
    throw new NotPlain(line)
  })
  const reader = new PlainReader(collector)
  let restart = isRestart
  let bytesRead = 0
  try {
    for await (const text of decoded(open())) {
      reader.push(text.text)
      bytesRead += text.bytes
      yield { restart, ...collector.take(), bytesRead }
      restart = false
    }
    reader.end()
    yield { restart, ...collector.take(), bytesRead }
    return undefined
  } catch (error) {
    if (error instanceof NotPlain) return error
    throw error
  }
}

function mayRepeat(line: number): never {
  throw new NotPlain(line, true)
}

/** The whole text, or undefined if it is too long for that. */
async function readText(
  open: () => Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): Promise<string | undefined> {
  let all = ''
  for await (const { text } of decoded(open())) {
    all += text
    if (all.length > MAX_DOCUMENT_LENGTH) return undefined
  }
  return all
}

/** Bytes to text, without a byte order mark. What is not UTF-8 becomes U+FFFD, which the readers refuse. */
async function* decoded(
  chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): AsyncGenerator<{ text: string; bytes: number }, void, undefined> {
  const decoder = new TextDecoder('utf-8')
  let isFirst = true
  for await (const chunk of chunks) {
    if (typeof chunk === 'string') {
      yield { text: isFirst && chunk.startsWith('\ufeff') ? chunk.slice(1) : chunk, bytes: chunk.length }
    } else {
      yield { text: decoder.decode(chunk, { stream: true }), bytes: chunk.length }
    }
    isFirst = false
  }
  const last = decoder.decode()
  if (last !== '') yield { text: last, bytes: 0 }
}
