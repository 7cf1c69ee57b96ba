/**
 * A source of wall-clock time: milliseconds since the Unix epoch, as `Date.now` gives them. Whatever depends on the
 * time takes one, so that tests can hold it still and a program can replay the past.
 */
export type Clock = () => number

/** The computer's own clock. */
export const systemClock: Clock = () => Date.now()
