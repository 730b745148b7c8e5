/** Written by `npm run charts`: the hash of the sources of each chart, by its id. */
export const SOURCE_HASHES: Readonly<Record<string, string>> = {
  account: '29ae51640850c554',
  accountTokens: '059bbf3c10adc55d',
  appServer: 'aae48e9fdfc81491',
  appServerAccount: 'c4c61ef7236f931d',
  authRecovery: '405fd4eac9119aa1',
  controllerLink: '2e412a1c4b6ad674',
  link: '951febeebd0bb146',
  listenerConnection: 'dea04b0f62cd565a',
  login: 'd4bf394934647376',
  pairing: 'ecd3fb9c9a96b4de',
  remoteControl: '337ad4a5e9af511a',
  stdioConnection: '0338f4f489bcf20a',
  tokenRenewal: '98a5a295629cb322',
  tokenSaving: 'b54cb2104ac300ad',
  virtualClient: 'fb995b8a66950f2a',
  websocketAuth: '3a9e20dcbf1f35ca',
};
