/** The data of the page of all charts, as its script reads it. */
export interface PageScenario {
  readonly title: string;
  readonly steps: readonly {
    readonly text: string;
    /** Ids of the states after the step. */
    readonly states: readonly string[];
  }[];
}

export interface PageChart {
  readonly name: string;
  readonly description: string;
  readonly states: readonly {
    readonly id: string;
    readonly description: string;
    readonly invokes: readonly string[];
  }[];
  readonly edges: readonly {
    readonly id: string;
    readonly source: string;
    readonly targets: readonly string[];
    readonly text: string;
    readonly reasons: readonly string[];
  }[];
  readonly scenarios: readonly PageScenario[];
}

export interface PageData {
  readonly charts: readonly PageChart[];
  /** Texts of the specification, by number: `RC-26`. */
  readonly requirements: Readonly<Record<string, string>>;
}
