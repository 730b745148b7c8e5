/** Helpers for the document. Received text is only ever set as text, never as markup. */

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as T;
}

export function el(tag: string, className = '', text = ''): HTMLElement {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  return element;
}

export function button(text: string, onClick: () => void, className = ''): HTMLElement {
  const element = el('button', className, text);
  element.setAttribute('type', 'button');
  element.addEventListener('click', onClick);
  return element;
}

/** A button that acts at its second click. */
export function carefulButton(text: string, question: string, onClick: () => void): HTMLElement {
  let asked = false;
  const element = button(text, () => {
    if (asked) onClick();
    else element.textContent = question;
    asked = true;
  });
  element.addEventListener('blur', () => {
    asked = false;
    element.textContent = text;
  });
  return element;
}

/** Shows one line above the page; an empty one hides it. */
export function note(text: string): void {
  const area = byId('note');
  area.textContent = text;
  area.hidden = text === '';
}

/** Appends, keeps at most `most` children, and stays at the end when the reader is there. */
export function appendTo(area: HTMLElement, child: HTMLElement, most: number): void {
  const atEnd = area.scrollHeight - area.scrollTop - area.clientHeight < 40;
  area.append(child);
  while (area.childElementCount > most) area.firstElementChild?.remove();
  if (atEnd) area.scrollTop = area.scrollHeight;
}
