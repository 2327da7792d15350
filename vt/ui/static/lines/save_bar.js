// The bar that stays in sight below the lines: what is changed, why a save was refused, undo and the button that saves.
import {button, make, say} from './dom.js';

export class SaveBar {
  constructor(words, {save, undo, discard}) {
    this.words = words;
    this.trouble = make('p', {class: 'vt-refusal', role: 'alert'});
    this.status = make('span', {role: 'status'});
    this.discardButton = button(words('discard'), {'data-discard': true}, discard);
    this.undoButton = button(words('undo'), {'data-undo': true}, undo);
    this.saveButton = button(words('save'), {'data-save': true, class: 'vt-main', 'aria-keyshortcuts': 'Control+Enter'}, save);
    this.element = make('div', {class: 'vt-save'}, this.trouble,
      make('div', {class: 'vt-save-row'}, this.status, this.discardButton, this.undoButton, this.saveButton));
    this.refuse('');
  }
  // Shows a sentence on what went wrong, or what somebody has to know; none: an empty text.
  refuse(sentence) {
    say(this.trouble, sentence);
    this.trouble.hidden = !sentence;
  }
  // `isSent`: all that is changed was taken by the server.
  show({count, isOver, isSaving, canUndo, isSent}) {
    const {words} = this;
    const text = isSaving || (!isOver && (isSent || !count)) ? words('being_done')
      : count ? words('changes', {count}) : words('unchanged');
    say(this.status, text);
    this.saveButton.disabled = !count || !isOver || isSaving;
    this.saveButton.toggleAttribute('data-busy', !isOver || isSaving);
    this.discardButton.hidden = !count || !isOver;
    this.undoButton.disabled = !canUndo;
  }
}
