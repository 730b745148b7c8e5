/** What happened on the stage, in order. */

interface Moment {
  /** Simulated time, ms. */
  readonly at: number;
  /** Name of the running chart. */
  readonly chart: string;
}

/** The chart has started an actor: it asks somebody for something. */
export interface Asked extends Moment {
  readonly kind: 'asked';
  readonly id: string;
  readonly src: string;
}

/** An actor has ended: the answer. */
export interface Answered extends Moment {
  readonly kind: 'answered';
  readonly id: string;
  readonly src: string;
  /** The member `kind` of the output, where it has one. */
  readonly outcome: string | null;
}

/** An event from outside, or from another chart. */
export interface Received extends Moment {
  readonly kind: 'received';
  readonly event: string;
  /** The actor that reported it; null: it was sent to the chart. */
  readonly from: { readonly id: string; readonly src: string } | null;
  /** The chart whose adapter sent it; null: it came from outside. */
  readonly by: string | null;
}

/** The chart has sent an event to one of its actors. */
export interface Commanded extends Moment {
  readonly kind: 'commanded';
  readonly id: string;
  readonly src: string;
  readonly event: string;
}

/** The chart has performed an action of its host. */
export interface Acted extends Moment {
  readonly kind: 'acted';
  readonly action: string;
  /** Its params, for example a close code. */
  readonly params: readonly string[];
}

/** A delay of the chart has ended. */
export interface Waited extends Moment {
  readonly kind: 'waited';
  readonly delay: string;
  /** How long it was, ms. */
  readonly ms: number;
}

/** The chart is in other states, or has another reason. */
export interface Moved extends Moment {
  readonly kind: 'moved';
  /** Id of the chart definition. */
  readonly definition: string;
  /** Ids of the active leaf states. */
  readonly states: readonly string[];
  readonly reason: string | null;
  /** Ids of the edges that were taken. */
  readonly edges: readonly string[];
}

export type AnyMoment = Asked | Answered | Received | Commanded | Acted | Waited | Moved;
