"""Notify: who needs a conversation, who is asked to have it, and what came of it.

It alone knows names and addresses. Triggers become cases, one open case per student; tutors see their students' cases
on pages and get a message for each; consent is checked again immediately before anything is shown or sent.
"""
