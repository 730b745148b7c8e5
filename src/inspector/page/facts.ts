/** What the page knows of the charts themselves; put into it when it is built. */
export interface PictureFacts {
  readonly name: string;
  readonly description: string;
  readonly svg: string;
}

export interface ChartFacts {
  readonly hash: string;
  readonly description: string;
  readonly pictures: readonly PictureFacts[];
  /** What each state is for, by its id. */
  readonly states: Readonly<Record<string, string>>;
  /** Each edge in words, by its id. */
  readonly edges: Readonly<Record<string, string>>;
}

export interface Facts {
  readonly charts: Readonly<Record<string, ChartFacts>>;
  /** What each reason means, by its code. */
  readonly reasons: Readonly<Record<string, string>>;
}
