/** Every story, in the order of their list. */
import type { Story } from '../story.js';
import { ACCOUNT_STORIES } from './account.js';
import { IDENTITY_STORIES } from './identity.js';
import { LOCAL_STORIES } from './local.js';

export const STORIES: readonly Story[] = [...IDENTITY_STORIES, ...ACCOUNT_STORIES, ...LOCAL_STORIES];
