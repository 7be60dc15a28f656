"""What all views share: the DOM, rendering by animation frames, words, dates, HTTP."""
