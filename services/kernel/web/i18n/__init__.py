"""Pages in the reader's language.

A text for a student or the public is written in English where it is shown: `{{ _("…") }}` and `{% trans %}` in a
template, `gettext` (imported as `_`) and `ngettext` in a view. Its Welsh stands in the catalog `locale/cy.po` beside
the templates, which is read as it is when the service starts. Which language a request is answered in is known to
whatever runs for it, as a context variable: nothing passes it on. Pages for staff only are in English: their routers
depend on `choice.in_english`.
"""
