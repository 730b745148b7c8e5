/** Who takes part in a story, and what the charts ask them for. */

/** The parties outside the charts, from left to right in a picture, with the charts between them. */
export const PARTIES = {
  person: 'a person',
  client: 'a local client',
  browser: 'the browser',
  listener: 'the listener',
  accountFile: 'the account file',
  issuer: 'the issuer',
  store: 'the store',
  appServer: 'the app server',
  backend: 'the backend',
  controllers: 'the controllers',
  engine: 'the engine',
} as const;

export type Party = keyof typeof PARTIES;

interface Task {
  readonly party: Party | { readonly chart: string };
  /** What the chart asks for, as the label of an arrow. Empty: another arrow says it. */
  readonly words: string;
}

const task = (party: Task['party'], words: string): Task => ({ party, words });
const account = { chart: 'account' };

/** What each actor of a chart stands for, by chart and source. */
export const TASKS: Readonly<Record<string, Task>> = {
  'remoteControl.loadAuth': task(account, 'which account?'),
  'remoteControl.recoverAuth': task({ chart: 'authRecovery' }, 'take one recovery step'),
  'remoteControl.loadEnrollment': task('store', 'read the identity'),
  'remoteControl.saveEnrollment': task('store', 'write the identity'),
  'remoteControl.enroll': task('backend', 'POST enroll'),
  'remoteControl.refresh': task('backend', 'POST refresh'),
  'remoteControl.dial': task('backend', 'open the WebSocket, with the server token'),
  // The WebSocket is open already.
  'remoteControl.socket': task('backend', ''),
  'remoteControl.drain': task('engine', 'close everything'),
  'authRecovery.reload': task('accountFile', 'read the account file again'),
  'authRecovery.refresh': task(account, 'refresh the tokens'),
  'authRecovery.requestExternalTokens': task(account, 'new tokens of the parent app'),
  'account.refreshTokens': task('issuer', 'redeem the refresh token'),
  'account.requestExternalTokens': task('client', 'account/chatgptAuthTokens/refresh'),
  'account.storeApiKey': task('accountFile', 'write the API key'),
  'account.signOut': task('accountFile', 'revoke and delete the sign-in'),
  'account.lookUpWorkspace': task('backend', 'find the workspace'),
  'account.checkPlace': task('accountFile', 'can a sign-in be saved?'),
  'account.openPort': task('engine', 'open the callback server'),
  'account.requestCancel': task('engine', 'ask the program that uses the port to cancel'),
  'account.awaitCallback': task('browser', 'wait for the redirect'),
  'account.awaitOther': task('engine', ''),
  'account.exchangeCode': task('issuer', 'exchange the code for tokens'),
  'account.saveSignIn': task('accountFile', 'write the tokens'),
  'account.awaitSuccessPage': task('browser', 'wait for the success page'),
  'account.requestDeviceCode': task('issuer', 'request a device code'),
  'account.pollDevice': task('issuer', 'has the code been entered?'),
  // Remote control gets AUTH.CHANGED.
  'account.completeSignIn': task({ chart: 'remoteControl' }, ''),
  'accountTokens.reload': task('accountFile', 'read the account file'),
  'accountTokens.tryLock': task('accountFile', 'take the lock'),
  'accountTokens.prepare': task('accountFile', 'can new tokens be written?'),
  'accountTokens.redeem': task('issuer', 'redeem the refresh token'),
  'accountTokens.save': task('accountFile', 'write the new tokens'),
  'accountTokens.release': task('accountFile', 'give the lock back'),
  'appServer.launch': task('appServer', 'start the shared child'),
};

/** What an action of the host means to whom. Actions without a party are left out of the picture. */
export const ACTIONS: Readonly<Record<string, Task>> = {
  'remoteControl.closeVirtualClients': task('controllers', 'their virtual clients are closed'),
  'account.notifyCompleted': task('client', 'account/login/completed'),
  'account.notifyDisplaced': task('client', 'account/login/completed'),
  'appServer.admitWaiting': task('client', 'may connect'),
  'appServer.refuseWaiting': task('client', 'gets the cause as an error'),
  'listenerConnection.sendClose': task('client', 'close frame'),
  'clientSession.pauseAppServer': task('appServer', 'reading is paused'),
  'clientSession.resumeAppServer': task('appServer', 'reading continues'),
};
