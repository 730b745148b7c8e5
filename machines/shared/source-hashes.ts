/** Written by `npm run charts`: the hash of the sources of each chart, by its id. */
export const SOURCE_HASHES: Readonly<Record<string, string>> = {
  account: '0add841df210f40a',
  accountTokens: '316e6d8052d5978c',
  appServer: 'aae48e9fdfc81491',
  appServerAccount: '51385a183bbacf3f',
  authRecovery: '53c2caa59762137f',
  controllerLink: '2e412a1c4b6ad674',
  link: '951febeebd0bb146',
  listenerConnection: 'dea04b0f62cd565a',
  pairing: '7d09a81433f01361',
  remoteControl: 'bd3606acf612ec3e',
  stdioConnection: '0338f4f489bcf20a',
  tokenRenewal: '98a5a295629cb322',
  tokenSaving: '71868791cc13f166',
  virtualClient: 'fb995b8a66950f2a',
  websocketAuth: '3a9e20dcbf1f35ca',
};
