// What the programs share that open a store as somebody who may not write, or may not write much.

/** Gives up the rights of root, if told to and there are any. */
export async function becomeNobody(asNobody: string | undefined): Promise<void> {
  if (asNobody === undefined || process.getuid?.() !== 0) return
  // Whatever is loaded later may be out of reach for somebody without rights.
  const { default: SQLite } = await import('better-sqlite3')
  new SQLite(':memory:').close()
  process.setgid?.(65534)
  process.setuid?.(65534)
}

/** What came of each act: the kind of the answer, or the answer if it has none, or the code of the error. */
export class Report {
  readonly #entries: [string, unknown][] = []

  async note(what: string, act: () => unknown): Promise<void> {
    try {
      const answer = await act()
      this.#entries.push([
        what,
        typeof answer === 'object' && answer !== null && 'kind' in answer ? answer.kind : answer,
      ])
    } catch (error) {
      this.#entries.push([what, error instanceof Error && 'code' in error ? error.code : String(error)])
    }
  }

  /** Prints it as one JSON object. */
  print(more: Readonly<Record<string, unknown>> = {}): void {
    console.log(JSON.stringify({ ...Object.fromEntries(this.#entries), ...more }))
  }
}
