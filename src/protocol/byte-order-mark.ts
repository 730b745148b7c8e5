const BYTE_ORDER_MARK = 0xfeff;

/** The text without a byte order mark in front, as some editors and shells write it. It means nothing in UTF-8. RC-71 */
export const withoutByteOrderMark = (text: string): string =>
  text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
