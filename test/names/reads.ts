// How much of a text a parser looks at, counted instead of timed.

/**
 * Runs `parse` and returns the number of characters that it handed to searches (each search counted with the whole
 * text it was given) or looked at one by one.
 */
export function countReads(parse: () => unknown): number {
  let reads = 0
  const restore: (() => void)[] = []
  const watch = (owner: object, name: string, cost: (self: unknown, args: readonly unknown[]) => number): void => {
    const original: unknown = Reflect.get(owner, name)
    if (typeof original !== 'function') throw new TypeError(`no method ${name}`)
    const watched = function (this: unknown, ...args: unknown[]): unknown {
      reads += cost(this, args)
      return Reflect.apply(original, this, args)
    }
    Reflect.set(owner, name, watched)
    restore.push(() => Reflect.set(owner, name, original))
  }
  for (const name of ['indexOf', 'includes', 'split', 'toLowerCase']) {
    watch(String.prototype, name, (self) => String(self).length)
  }
  watch(String.prototype, 'charCodeAt', () => 1)
  for (const name of ['test', 'exec']) watch(RegExp.prototype, name, (_, args) => String(args[0]).length)
  watch(globalThis, 'decodeURIComponent', (_, args) => String(args[0]).length)
  try {
    parse()
  } catch {
    // What it makes of the text is not the question here.
  } finally {
    for (const undo of restore) undo()
  }
  return reads
}
