/** Written by `npm run charts`: the hash of the sources of each chart, by its id. */
export const SOURCE_HASHES: Readonly<Record<string, string>> = {
  account: '89d99406f398edc6',
  accountTokens: '316e6d8052d5978c',
  appServer: 'aae48e9fdfc81491',
  appServerAccount: 'bf404a9f818eca07',
  authRecovery: 'a6528a2e700c5dd4',
  controllerLink: '97ad457c6fd4a7ff',
  link: '951febeebd0bb146',
  listenerConnection: 'dea04b0f62cd565a',
  pairing: '16e6a5e9f94f1c3c',
  remoteControl: '43cf04e2fd412d25',
  stdioConnection: '0338f4f489bcf20a',
  tokenRenewal: '0efa21190ff8c13e',
  tokenSaving: '227fa6c0815bf2b7',
  virtualClient: 'fb995b8a66950f2a',
  websocketAuth: '3a9e20dcbf1f35ca',
};
