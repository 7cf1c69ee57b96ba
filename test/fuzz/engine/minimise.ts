// A failing input made smaller, as long as it fails in the same way: a finding of ten bytes explains itself.

/** The inputs to try next, the boldest first: halves taken out, then quarters, down to bytes; then bytes made plain. */
export function* smaller(input: Uint8Array): Generator<Uint8Array> {
  for (let size = Math.max(1, input.length >> 1); ; size >>= 1) {
    for (let at = 0; at < input.length; at += size) {
      yield Buffer.concat([input.subarray(0, at), input.subarray(at + size)])
    }
    if (size <= 1) break
  }
  for (let at = 0; at < input.length; at++) {
    const byte = input[at] ?? 0
    for (const plain of [0x30, 0x61, 0]) {
      // Only towards plainer ones, or it would go on for ever.
      if (plainness(plain) >= plainness(byte)) continue
      const changed = Buffer.from(input)
      changed[at] = plain
      yield changed
    }
  }
}

function plainness(byte: number): number {
  const at = [0x30, 0x61, 0].indexOf(byte)
  return at < 0 ? 3 : at
}

/**
 * The smallest input found within so many tries that still fails.
 *
 * @param fails - Whether an input fails in the same way.
 */
export async function minimise(
  input: Uint8Array,
  fails: (candidate: Uint8Array) => boolean | Promise<boolean>,
  maxTries: number,
): Promise<Uint8Array> {
  let best = input
  let tries = 0
  for (let isBetter = true; isBetter; ) {
    isBetter = false
    for (const candidate of smaller(best)) {
      if (tries++ >= maxTries) return best
      if (!(await fails(candidate))) continue
      best = Uint8Array.from(candidate)
      isBetter = true
      break
    }
  }
  return best
}
