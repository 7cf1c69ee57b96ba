/** A value, or a promise of it. Whoever implements a store may answer at once; whoever calls it must await. */
export type Awaitable<T> = T | Promise<T>
