import type { LineSink } from './logger.ts'

/** Turns JSON lines into lines for people: `2030-01-01T00:00:00.000Z ERROR message name=value`. */
export class ConsoleFormat implements LineSink {
  readonly #sink: LineSink

  constructor(sink: LineSink) {
    this.#sink = sink
  }

  write(line: string): void {
    const { time, level, message, ...fields } = JSON.parse(line)
    const rest = Object.entries(fields).map(([name, value]) => ` ${word(name)}=${word(value)}`)
    // A message is mostly words; one that looks like fields is put in quotes.
    const words = /["=]/.test(message) ? JSON.stringify(message) : message
    this.#sink.write(`${time} ${String(level).toUpperCase()} ${words}${rest.join('')}\n`)
  }
}

/** As it is if it is one word, and in quotes otherwise, so that a value cannot look like another field. */
function word(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  return JSON.stringify(value)
}
