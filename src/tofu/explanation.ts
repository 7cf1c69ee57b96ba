// Verdicts in plain words, for somebody who has to decide and has never heard of a fingerprint. One paragraph: what
// happened, what is known, what it may mean, what to do. Whatever is in it comes from us: a certificate's own text could
// say anything.

import type { PinnedFacts, Verdict } from './verdict.ts'

/** What an explanation needs of a verdict. */
type Told<V> = V extends Verdict ? Omit<V, 'explanation'> : never

/** Explains a verdict in one paragraph of plain words. */
export function explain(verdict: Told<Verdict>): string {
  const { endpoint, presented } = verdict
  switch (verdict.kind) {
    case 'trusted':
      return join(
        verdict.reason === 'pinned_key'
          ? `${endpoint} shows a certificate for the public key that is pinned for it.`
          : `${endpoint} shows the certificate that is pinned for it.`,
        history(verdict),
        dates(verdict),
      )
    case 'first_use':
      return join(
        `This is the first visit to ${endpoint}, so there is nothing to compare its certificate with.`,
        'If somebody is in the middle this time, it will not be noticed; from the next visit on, a change will be.',
        `To be sure, ask the owner by another way whether the fingerprint is ${presented}.`,
        dates(verdict),
      )
    case 'renewed':
      return join(
        `${endpoint} shows a new certificate for the key that it had before, as a renewal does.`,
        'Only the owner of that key can use it.',
        history(verdict),
        dates(verdict),
      )
    case 'rotated':
      return join(
        verdict.reason === 'announced'
          ? `${endpoint} shows the certificate or key that it had announced as its next one.`
          : `${endpoint} shows a new key, and the key that it had before has signed the certificate for it.`,
        history(verdict),
        'Accept it if you believe that the old key was still in the right hands.',
        dates(verdict),
      )
    case 'changed':
      return join(
        `${endpoint} shows another certificate than the one that is pinned for it.`,
        history(verdict),
        changeReason(verdict),
        verdict.formerPin === null ? '' : 'This certificate was pinned here before, until another one replaced it.',
        'Either the owner replaced the certificate, or somebody between you and the server is showing one of their own;',
        'from here the two look the same.',
        `Before you accept it, ask the owner by another way whether the fingerprint is ${presented};`,
        `the pinned one is ${verdict.pinned}.`,
        dates(verdict),
      )
    case 'distrusted':
      return join(
        `${endpoint} shows a certificate or key that was marked on ${dayOf(verdict.mark.firstSeen)} as never to be`,
        `trusted there (${verdict.mark.digest}).`,
        'Do not go on unless you know why the mark was set and that it was set wrongly.',
      )
  }
}

function history(facts: PinnedFacts): string {
  const known = facts.knownForDays === 0 ? 'today' : `${count(facts.knownForDays, 'day')} ago`
  const often = `on ${count(facts.daysSeen, 'day')}`
  return `The pinned one was first seen ${known}, has been seen ${often}, and was last seen on ${dayOf(facts.lastSeen)}.`
}

function changeReason(verdict: Told<Verdict> & { kind: 'changed' }): string {
  const { pinnedExpiresInDays: left } = verdict
  const expiry =
    left === null
      ? 'It is not known until when the pinned one was to last.'
      : left < 0
        ? `The pinned one expired ${count(-left, 'day')} ago, so a new one was due; but that date is there for everybody to read, and somebody in the middle can wait for it.`
        : `The pinned one would have lasted for ${count(left, 'more day')}, so there was no need for a new one yet.`
  return verdict.reason === 'authority_vouched'
    ? `An authority that you trust vouches for the new certificate and its name. ${expiry}`
    : expiry
}

function dates(verdict: Pick<Verdict, 'validity'>): string {
  switch (verdict.validity) {
    case 'valid':
      return ''
    case 'expired':
      return 'By its own dates, the certificate shown has expired.'
    case 'not_yet_valid':
      return 'By its own dates, the certificate shown is not valid yet.'
  }
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? '' : 's'}`
}

/** The day of an instant, in UTC. */
export function dayOf(instant: Date): string {
  return instant.toISOString().slice(0, 10)
}

function join(...sentences: string[]): string {
  return sentences.filter((sentence) => sentence !== '').join(' ')
}
