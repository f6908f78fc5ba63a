"""One look and one way to sign in for every page, whichever service serves it.

`pages.templates` renders, `session` knows who is there, `site.install` puts both into a service's app. The
components stand in `templates/components.html`, the tokens of the look in `static/signpost.css`. Everything works
without JavaScript and without a mouse.
"""
