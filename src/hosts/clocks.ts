/** The clocks of an attempt: how long a host may take in each phase. Set for all in `relay`, and otherwise for a host or a model. */

const clockNames = [
  'connectMsMax',
  'sendMsMax',
  'firstContentMsMax',
  'prefillTokensPerSecond',
  'loadMsMax',
  'contentGapMsMax',
  'contentGapWithToolsMsMax',
  'frameMsMax',
  'streamMsMax',
  'answerMsMax',
] as const

export type Clocks = Readonly<Record<(typeof clockNames)[number], number>>
export type ClockOverrides = { readonly [Name in keyof Clocks]?: number | undefined }

export const noOverrides: ClockOverrides = {}

/** The clocks for one attempt; what is given later wins. Those for all themselves where nothing else is given, as for nearly every attempt. */
export function clocksOf(forAll: Clocks, ofHost?: ClockOverrides, ofModel?: ClockOverrides): Clocks {
  return overridden(overridden(forAll, ofHost), ofModel)
}

function overridden(before: Clocks, overrides: ClockOverrides | undefined): Clocks {
  if (overrides === undefined || overrides === noOverrides) return before
  const chosen = { ...before }
  for (const name of clockNames) chosen[name] = overrides[name] ?? chosen[name]
  return chosen
}

/** How long a load of that model may take at that host. */
export function loadMsMax(
  {
    relay,
    models,
  }: { readonly relay: Clocks; readonly models: { readonly clocks: Readonly<Record<string, ClockOverrides>> } },
  host: { readonly clocks: ClockOverrides },
  model: string,
): number {
  return clocksOf(relay, host.clocks, models.clocks[model]).loadMsMax
}
