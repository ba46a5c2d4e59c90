from words import answer_to


def judged(prompt, text):
    return f"{prompt}{answer_to(text)}"
