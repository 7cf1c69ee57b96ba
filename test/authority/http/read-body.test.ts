import { describe, expect, it } from 'vitest'
import { type BodyLimits, readBody } from '../../../src/authority/http/read-body.ts'

interface Source {
  readonly request: Request
  /** How many chunks were asked for, and whether the reader has said that it wants no more. */
  readonly state: { pulls: number; cancelled: boolean }
}

/** A request whose body is made chunk by chunk; `null` for one that never comes. */
function source(chunk: (index: number) => Uint8Array | null | undefined, headers: Record<string, string> = {}): Source {
  const state = { pulls: 0, cancelled: false }
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const next = chunk(state.pulls++)
        if (next === null) return new Promise<void>(() => {})
        if (next === undefined) controller.close()
        else controller.enqueue(next)
      },
      cancel() {
        state.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { state, request: new Request('http://localhost/', { method: 'PUT', headers, body, duplex: 'half' }) }
}

const LIMITS: BodyLimits = { maxBytes: 10, timeoutMs: 60_000 }

describe('readBody', () => {
  it('reads a body of as many bytes as are allowed', async () => {
    const { request } = source((index) => (index < 10 ? Uint8Array.of(index) : undefined))
    expect(await readBody(request, LIMITS)).toEqual({ kind: 'body', bytes: Buffer.from([...Array(10).keys()]) })
  })

  it('reads none where there is none', async () => {
    const empty = { kind: 'body', bytes: new Uint8Array(0) }
    expect(await readBody(new Request('http://localhost/', { method: 'PUT' }), LIMITS)).toEqual(empty)
    expect((await readBody(new Request('http://localhost/', { method: 'PUT', body: '' }), LIMITS)).kind).toBe('body')
  })

  it('stops at the first byte that is too many, whatever more would come', async () => {
    const { request, state } = source(() => new Uint8Array(4))
    expect(await readBody(request, LIMITS)).toEqual({ kind: 'too_large' })
    expect(state).toEqual({ pulls: 3, cancelled: true })
  })

  it('does not begin with a body that says it is too large', async () => {
    const { request, state } = source(() => new Uint8Array(4), { 'content-length': '11' })
    expect(await readBody(request, LIMITS)).toEqual({ kind: 'too_large' })
    expect(state.pulls).toBe(0)
  })

  it.each(['5', '0', '-1', 'nonsense', '1e1'])('counts for itself when the length is said to be %s', async (length) => {
    const { request } = source(() => new Uint8Array(4), { 'content-length': length })
    expect(await readBody(request, LIMITS)).toEqual({ kind: 'too_large' })
  })

  it('gives up on a body that comes too slowly, also if a byte comes now and then', async () => {
    const still = source(() => null)
    expect(await readBody(still.request, { maxBytes: 10, timeoutMs: 5 })).toEqual({ kind: 'timeout' })
    expect(still.state.cancelled).toBe(true)

    const dripping = source((index) => (index % 2 === 0 ? new Uint8Array(1) : null))
    expect(await readBody(dripping.request, { maxBytes: 10, timeoutMs: 5 })).toEqual({ kind: 'timeout' })
  })

  it('reports a body that breaks off', async () => {
    const cause = new Error('gone')
    const { request } = source((index) => {
      if (index > 0) throw cause
      return new Uint8Array(1)
    })
    expect(await readBody(request, LIMITS)).toEqual({ kind: 'broken', cause })
  })

  it('throws for a body that somebody else reads, or has read', async () => {
    const read = new Request('http://localhost/', { method: 'PUT', body: 'hello' })
    await read.text()
    await expect(readBody(read, LIMITS)).rejects.toThrow(TypeError)

    const locked = new Request('http://localhost/', { method: 'PUT', body: 'hello' })
    locked.body?.getReader()
    await expect(readBody(locked, LIMITS)).rejects.toThrow(TypeError)
  })
})
