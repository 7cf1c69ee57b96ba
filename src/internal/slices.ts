// Work that is written once, as a generator that yields now and then, and done either at once or a slice at a time.

/** Does all of it now. */
export function doAtOnce<Result>(work: Generator<void, Result>): Result {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** Does it in slices of some milliseconds, and lets everything else that waits go first after each. */
export async function doInSlices<Result>(work: Generator<void, Result>): Promise<Result> {
  for (;;) {
    const end = performance.now() + SLICE_MS
    do {
      const step = work.next()
      if (step.done === true) return step.value
    } while (performance.now() < end)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

// A server that answers within this time more than usual is not noticed by anybody.
const SLICE_MS = 5
