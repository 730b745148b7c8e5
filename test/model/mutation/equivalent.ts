/** Mutants that do the same as the chart, by chart and id, each with its reason. They are not counted. */
export const EQUIVALENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {};
