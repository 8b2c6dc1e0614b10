/** Asked in every scenario; no sink may ever show it. */
export const promptCanary = 'canary-of-the-prompt'
